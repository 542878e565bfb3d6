/** What the stack file says and what then runs: profiles, replicas, orphans, variables, files of variables. */
import { expect, test } from 'vitest';
import { idle, list, listed, scenario } from './harness/scenario.ts';

const world = scenario();
const names = async (stack: Parameters<typeof list>[0]) => (await list(stack)).map(({ Name }) => Name);

test('services with a profile run when it is asked for', async () => {
  const stack = world.project('profiles', { services: { always: idle, debug: { ...idle, profiles: ['debug'] } } });
  await stack.ok(['up', '-d']);
  expect(await names(stack)).toEqual(['profiles-always-1']);
  await stack.ok(['--profile', 'debug', 'up', '-d']);
  expect(await names(stack)).toEqual(['profiles-always-1', 'profiles-debug-1']);
});

test('replicas are added and removed at the end of the row', async () => {
  const define = (scale: number) => ({ services: { worker: { ...idle, scale } } });
  const stack = world.project('scaled', define(2));
  await stack.ok(['up', '-d']);
  const before = await list(stack);
  stack.define(define(4));
  await stack.ok(['up', '-d']);
  expect(await names(stack)).toEqual([1, 2, 3, 4].map((number) => `scaled-worker-${number}`));
  stack.define(define(1));
  await stack.ok(['up', '-d']);
  expect((await list(stack)).map(({ ID }) => ID)).toEqual([before[0]!.ID]);
});

test('orphans are told of, left alone, and removed when that is asked for', async () => {
  const stack = world.project('orphans', { services: { kept: idle, dropped: idle } });
  await stack.ok(['up', '-d']);
  stack.define({ services: { kept: idle } });
  const up = await stack.stack(['up', '-d']);
  expect(up.code).toBe(0);
  expect(`${up.stdout}${up.stderr}`).toMatch(/orphan/i);
  expect(`${up.stdout}${up.stderr}`).toContain('orphans-dropped-1');
  expect(await world.host.processes()).not.toEqual([]);
  await stack.ok(['up', '-d', '--remove-orphans']);
  expect(await names(stack)).toEqual(['orphans-kept-1']);
});

test('each changed field recreates its service alone, with the field as the reason', async () => {
  const base = { image: 'busybox:1', init: true, command: ['sleep', '1000000'] };
  const changes: [string, object][] = [
    ['environment', { environment: { A: '1' } }],
    ['command', { command: ['sleep', '2000000'] }],
    ['labels', { labels: { a: 'b' } }],
    ['cap_drop', { cap_drop: ['CHOWN'] }],
    ['mem_limit', { mem_limit: '50m' }],
    ['working_dir', { working_dir: '/tmp' }],
    ['image', { image: 'debian:bookworm-slim' }],
  ];
  const stack = world.project('changes', { services: { one: base, other: base } });
  await stack.ok(['up', '-d']);
  let before = { one: (await listed(stack, 'one')).ID, other: (await listed(stack, 'other')).ID };
  for (const [field, change] of changes) {
    stack.define({ services: { one: { ...base, ...change }, other: base } });
    const plan = await stack.stack(['plan']);
    expect([field, plan.code]).toEqual([field, 2]);
    expect(plan.stdout).toContain(field);
    await stack.ok(['up', '-d']);
    const after = { one: (await listed(stack, 'one')).ID, other: (await listed(stack, 'other')).ID };
    expect(after.other).toBe(before.other);
    expect(after.one).not.toBe(before.one);
    expect(await stack.stack(['plan'])).toMatchObject({ code: 0 });
    before = after;
  }
});

test('variables come from the shell, then `.env`, then their defaults; files of variables below `environment`', async () => {
  const stack = world.project(
    'variables',
    `services:
  one:
    image: \${IMAGE:?an image is needed}
    command: [sh, -c, 'echo $$FROM_FILE $$BOTH $$SHELL_ONE \${DEFAULTED:-fallback} \${UNSET-}']
    env_file: [./values.env, {path: ./absent.env, required: false}]
    environment:
      BOTH: environment
      SHELL_ONE:
`,
  );
  stack.write('.env', 'IMAGE=no-such-image\nDEFAULTED=dotenv\n');
  stack.write('values.env', '# comment\nFROM_FILE="quoted value"\nBOTH=file\n');
  const out = await stack.ok(['run', '--rm', '-T', 'one'], { env: { IMAGE: 'busybox:1', SHELL_ONE: 'passed' } });
  expect(out).toBe('quoted value environment passed dotenv\n');
  stack.write('other.env', 'IMAGE=busybox:1\nDEFAULTED=other\n');
  expect(await stack.ok(['--env-file', 'other.env', 'run', '--rm', '-T', 'one'])).toContain('other');
});

test('the name comes from `-p`, then the environment, then the file, then the folder', async () => {
  const stack = world.project('folder-name', { services: { one: { image: 'busybox:1' } } });
  const name = async (args: string[], env = {}) =>
    JSON.parse(await stack.ok([...args, 'config', '--format', 'json'], { env })).name;
  expect(await name([])).toBe('folder-name');
  stack.define({ name: 'in-file', services: { one: { image: 'busybox:1' } } });
  expect(await name([])).toBe('in-file');
  expect(await name([], { COMPOSE_PROJECT_NAME: 'in-env' })).toBe('in-env');
  expect(await name(['-p', 'flag'], { COMPOSE_PROJECT_NAME: 'in-env' })).toBe('flag');
});

test('several files and a project directory make one stack', async () => {
  const stack = world.project('several');
  stack.write('base.yaml', 'services: {one: {image: "busybox:1", environment: {A: "1", B: "1"}}}\n');
  stack.write('more/override.yaml', 'services: {one: {environment: {B: "2"}}, two: {image: "busybox:1"}}\n');
  const { services } = JSON.parse(
    await stack.ok(['-f', 'base.yaml', '-f', 'more/override.yaml', 'config', '--format', 'json']),
  );
  expect(services.one.environment).toEqual({ A: '1', B: '2' });
  expect(Object.keys(services)).toEqual(['one', 'two']);
});

test('what is planned is printed as data too', async () => {
  const stack = world.project('data', { services: { one: idle } });
  const plan = await stack.stack(['plan', '--json']);
  expect(plan.code).toBe(2);
  expect(JSON.stringify(JSON.parse(plan.stdout))).toContain('data-one-1');
  const up = await stack.stack(['--progress', 'json', 'up', '-d']);
  expect(up.code).toBe(0);
  const events = `${up.stdout}${up.stderr}`
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  expect(events.length).toBeGreaterThan(2);
});
