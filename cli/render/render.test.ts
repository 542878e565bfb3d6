import { expect, test } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import type { EngineEvent } from '../../schemas/events.ts';
import { type AnsiMode, type ProgressMode, readGlobals } from '../globals.ts';
import { renderer } from './render.ts';

const create = {
  id: 'create container demo-web-1',
  kind: 'container.create',
  resource: 'container demo-web-1',
} as const;
const start = { id: 'start container demo-web-1', kind: 'container.start', resource: 'container demo-web-1' } as const;
const pull = { id: 'pull image redis:7', kind: 'image.pull', resource: 'image redis:7' } as const;
const network = {
  id: 'create network demo_default',
  kind: 'network.create',
  resource: 'network demo_default',
} as const;

const events: EngineEvent[] = [
  { type: 'warning', error: new StackError('config.value', { message: 'version is obsolete.', hint: 'Remove it.' }) },
  { type: 'waiting', resource: 'stack demo', because: 'stack down (pid 7) works on it' },
  { type: 'plan', stack: 'demo', operations: [pull, network, create, start].map((one) => ({ ...one, cause: 'new' })) },
  { type: 'started', ...pull },
  {
    type: 'progress',
    id: pull.id,
    resource: pull.resource,
    detail: '1/3 layers',
    current: 1_200_000,
    total: 40_000_000,
  },
  {
    type: 'progress',
    id: pull.id,
    resource: pull.resource,
    detail: '1/3 layers',
    current: 2_200_000,
    total: 40_000_000,
  },
  { type: 'done', ...pull, ms: 1234 },
  { type: 'started', ...network },
  { type: 'done', ...network, ms: 3 },
  { type: 'started', ...create },
  { type: 'done', ...create, ms: 12 },
  { type: 'started', ...start },
  { type: 'failed', ...start, ms: 5, error: new StackError('runtime.not-found', { message: 'No nginx.' }) },
  { type: 'undone', ...network },
];

async function show(
  progress: ProgressMode,
  { isTTY = false, ansi = 'auto' as AnsiMode, env = {}, shown = events } = {},
) {
  let text = '';
  const stderr = {
    isTTY,
    columns: 80,
    rows: 24,
    write(chunk: string) {
      text += chunk;
    },
  };
  const globals = { ...readGlobals({}, {}, {}), file: [] };
  const context = { stderr: stderr as never, environment: env, globals: { ...globals, progress, ansi } };
  const { emit, close } = renderer(context);
  for (const event of shown) emit(event);
  await close();
  return text;
}

const plain = ` Image redis:7  Pulling
 Image redis:7  1/3 layers
 Image redis:7  Pulled  1.2s
 Network demo_default  Creating
 Network demo_default  Created  3ms
 Container demo-web-1  Creating
 Container demo-web-1  Created  12ms
 Container demo-web-1  Starting
 Container demo-web-1  Error  No nginx.
 Network demo_default  Undone
`;
const warnings = `warning: version is obsolete. Remove it.
 Stack demo  Waiting  stack down (pid 7) works on it
`;

test('plain lines, one for each phase', async () => {
  expect(await show('plain')).toBe(warnings + plain);
});

test('what several operations wait for, and what is skipped several times, has one plain line', async () => {
  const [first, second] = (['healthy', 'running'] as const).map((why) => {
    return { id: `await db ${why}`, kind: 'dependency.await', resource: 'service db' } as const;
  });
  const because = 'an earlier step failed';
  const shown: EngineEvent[] = [
    { type: 'started', ...first! },
    { type: 'started', ...second! },
    { type: 'done', ...first!, ms: 5 },
    { type: 'done', ...second!, ms: 7 },
    { type: 'started', ...first! },
    { type: 'skipped', ...create, because },
    { type: 'skipped', ...start, because },
    { type: 'skipped', ...first!, because },
  ];
  expect(await show('plain', { shown })).toBe(` Service db  Waiting
 Service db  Ready  7ms
 Service db  Waiting
 Container demo-web-1  Skipped  an earlier step failed
 Service db  Skipped  an earlier step failed
`);
});

test('without a terminal auto is plain; on one, so is --ansi never', async () => {
  expect(await show('auto')).toBe(warnings + plain);
  expect(await show('auto', { isTTY: true, ansi: 'never' })).toBe(warnings + plain);
});

test('colours follow --ansi, NO_COLOR and TERM', async () => {
  expect(await show('plain', { isTTY: true })).toContain('\x1b[32mCreated\x1b[0m');
  expect(await show('plain', { isTTY: true, env: { NO_COLOR: '1' } })).not.toContain('\x1b[');
  expect(await show('plain', { isTTY: true, env: { TERM: 'dumb' } })).not.toContain('\x1b[');
  expect(await show('plain', { ansi: 'always', env: { NO_COLOR: '1' } })).toContain('\x1b[32m');
});

test('JSON lines carry every event', async () => {
  const lines = (await show('json'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map((line) => line.type)).toEqual(events.map((event) => event.type));
  expect(lines.at(-2)).toMatchObject({ ...start, error: { code: 'runtime.not-found', message: 'No nginx.' } });
});

test('quiet keeps warnings', async () => {
  expect(await show('quiet')).toBe('warning: version is obsolete. Remove it.\n');
});

test('on a terminal each resource has one line in the end, and the cursor is back', async () => {
  const text = await show('tty', { isTTY: true });
  const last = text.slice(text.lastIndexOf('\x1b[G'));
  for (const resource of ['Image redis:7', 'Network demo_default  \x1b', 'Container demo-web-1']) {
    expect(last.split(resource)).toHaveLength(2);
  }
  expect(last).toMatch(/Network demo_default {2}Undone\n$/);
  expect(last).toMatch(/Container demo-web-1 {2}\x1b\[31mError/);
  expect(text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(text.lastIndexOf('\x1b[?25l'));
});

test('an empty plan shows nothing', async () => {
  let text = '';
  const stderr = {
    isTTY: true,
    columns: 80,
    write(chunk: string) {
      text += chunk;
    },
  };
  const globals = { progress: 'tty', ansi: 'auto' };
  const { emit, close } = renderer({ stderr, environment: {}, globals } as never);
  emit({ type: 'plan', stack: 'demo', operations: [] });
  await close();
  expect(text).toBe('');
});
