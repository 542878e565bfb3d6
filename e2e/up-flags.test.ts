/** The flags of `up` as docker compose has them: what is recreated, what is shown, when it ends and with which exit code. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { expectError, idle, list, scenario, shell } from './harness/scenario.ts';

const world = scenario();

/** Ids by service. */
const ids = async (stack: Project) => new Map((await list(stack)).map(({ Service, ID }) => [Service, ID]));

/** Services whose container is another one after `up` with these words. */
async function recreated(stack: Project, ...args: string[]): Promise<string[]> {
  const before = await ids(stack);
  await stack.ok(['up', '-d', '-t', '0', ...args]);
  const after = await ids(stack);
  return [...after].flatMap(([service, id]) => (before.get(service) === id ? [] : [service])).sort();
}

const three = {
  services: {
    web: { ...idle, depends_on: ['db'], volumes: ['/cache'] },
    db: { ...idle, volumes: ['/data'] },
    side: idle,
  },
};

test('what is recreated: --force-recreate, --always-recreate-deps, --no-recreate, --no-deps, -V', async () => {
  const stack = world.project('recreating', three);
  await stack.ok(['up', '-d']);
  expect(await recreated(stack)).toEqual([]);
  expect(await recreated(stack, '--force-recreate', 'web')).toEqual(['web']);
  expect(await recreated(stack, '--always-recreate-deps', 'web')).toEqual(['db']);
  expect(await recreated(stack, '--force-recreate', '--no-deps', 'web')).toEqual(['web']);
  expect(await recreated(stack, '--force-recreate')).toEqual(['db', 'side', 'web']);
  const { services } = three;
  stack.define({ services: { ...services, web: { ...services.web, user: 'nobody' } } });
  expect(await recreated(stack, '--no-recreate')).toEqual([]);
  expect(await recreated(stack)).toEqual(['web']);

  const write = (service: string, file: string) => stack.ok(['exec', '-T', service, 'touch', file]);
  await write('db', '/data/kept');
  expect(await recreated(stack, '--force-recreate', 'db')).toEqual(['db']);
  expect(await stack.ok(['exec', '-T', 'db', 'ls', '/data'])).toBe('kept\n');
  expect(await recreated(stack, '-V', 'db')).toEqual(['db']);
  expect(await stack.ok(['exec', '-T', 'db', 'ls', '/data'])).toBe('');
});

test('orphans: told, removed by --remove-orphans or COMPOSE_REMOVE_ORPHANS, and not told of', async () => {
  const stack = world.project('orphaned', { services: { web: idle, old: idle, older: idle } });
  await stack.ok(['up', '-d']);
  stack.define({ services: { web: idle, old: idle } });
  expect((await stack.stack(['up', '-d'])).stderr).toContain('orphaned-older-1');
  expect((await stack.stack(['up', '-d'], { env: { COMPOSE_IGNORE_ORPHANS: '1' } })).stderr).not.toContain('older');
  await stack.ok(['up', '-d', '--remove-orphans', '-t', '0']);
  expect([...(await ids(stack)).keys()].sort()).toEqual(['old', 'web']);
  stack.define({ services: { web: idle } });
  await stack.ok(['up', '-d', '-t', '0'], { env: { COMPOSE_REMOVE_ORPHANS: 'true' } });
  expect([...(await ids(stack)).keys()]).toEqual(['web']);
});

test('--scale, --no-start and --wait', async () => {
  const healthcheck = { test: ['CMD', 'test', '-e', '/ready'], interval: '100ms', retries: 3, start_period: '1s' };
  const ready = shell('touch /ready; sleep 1000000', { init: true, healthcheck });
  const never = { ...idle, healthcheck };
  const stack = world.project('waiting', { services: { ready, never } });
  await stack.ok(['up', '--no-start', '--scale', 'ready=2', 'ready']);
  expect((await list(stack)).map(({ State }) => State)).toEqual(['created', 'created']);
  await stack.ok(['up', '--wait', '--scale', 'ready=2', 'ready']);
  expect((await list(stack)).map(({ Health }) => Health)).toEqual(['healthy', 'healthy']);
  expectError(await stack.stack(['up', '--wait', 'never']), 1, /never/, /unhealthy/);
  const slow = { ...idle, healthcheck: { ...healthcheck, start_period: '1h' } };
  stack.define({ services: { slow } });
  expectError(await stack.stack(['up', '--wait', '--wait-timeout', '1', '--remove-orphans']), 1, /slow/);
});

const talking = {
  services: {
    web: shell('echo from web; sleep 1000000', { init: true, depends_on: ['db'] }),
    db: shell('echo from db; sleep 1000000', { init: true }),
    job: shell('sleep 0.5; echo from job; exit 3', { depends_on: ['web'] }),
  },
};

test.each<[string, string[], number, RegExp[], RegExp[]]>([
  [
    '--abort-on-container-exit',
    ['--abort-on-container-exit'],
    3,
    [/web-1 +\| from web/, /job-1 exited with code 3/],
    [],
  ],
  ['--abort-on-container-failure', ['--abort-on-container-failure'], 3, [/db-1 +\| from db/], []],
  ['--exit-code-from', ['--exit-code-from', 'job'], 3, [/from job/], []],
  ['--exit-code-from of one that is stopped', ['--exit-code-from', 'web', '-t', '0'], 137, [/from job/], []],
  ['--no-log-prefix', ['--abort-on-container-exit', '--no-log-prefix'], 3, [/^from web$/m], [/web-1 +\|/]],
  ['--timestamps', ['--abort-on-container-exit', '--timestamps'], 3, [/web-1 +\| \d{4}-\d\d-\d\dT\S+ from web/], []],
  ['--attach', ['--abort-on-container-exit', '--attach', 'web'], 3, [/from web/], [/from db/, /from job/]],
  ['--no-attach', ['--abort-on-container-exit', '--no-attach', 'web'], 3, [/from db/, /from job/], [/from web/]],
  ['a service alone', ['--abort-on-container-exit', 'job'], 3, [/from job/], [/from web/, /from db/]],
  [
    '--attach-dependencies',
    ['--abort-on-container-exit', '--attach-dependencies', 'job'],
    3,
    [/from web/, /from db/, /from job/],
    [],
  ],
  ['--menu', ['--abort-on-container-exit', '--menu'], 3, [/There is no menu/], []],
])('%s', async (_, args, code, seen, unseen) => {
  const stack = world.project('talking', talking);
  const done = await stack.stack(['up', '-t', '1', ...args]);
  const text = done.stdout + done.stderr;
  for (const words of seen) expect(text).toMatch(words);
  for (const words of unseen) expect(text).not.toMatch(words);
  expect(done.code).toBe(code);
  // It ended because its containers did. What the services named need may be needed by others, and runs on.
  if (!args.includes('job') || args[0] === '--exit-code-from')
    expect((await list(stack)).filter(({ State }) => State === 'running')).toEqual([]);
});

test('pulls and builds: --quiet-pull, --quiet-build, --no-build, --pull', async () => {
  const stack = world.project('making', { services: { web: { build: '.' }, db: idle } });
  stack.write('Dockerfile', 'FROM busybox:1\nRUN echo step\nCMD ["sleep", "1000000"]\n');
  expectError(await stack.stack(['up', '-d', '--no-build']), 1, /making-web/, /--no-build/);
  const progress = (text: string, id: RegExp) =>
    text.split('\n').filter((line) => line.includes('"progress"') && id.test(line)).length;
  const quiet = await stack.stack(['--progress', 'json', 'up', '-d', '--quiet-build']);
  expect([quiet.code, progress(quiet.stderr, /build image/)]).toEqual([0, 0]);
  const loud = await stack.stack(['--progress', 'json', 'up', '-d', '--build', '-t', '0']);
  expect(progress(loud.stderr, /build image/)).toBeGreaterThan(0);
  await stack.ok(['down', '-t', '0']);
  await stack.ok(['image', 'rm', 'busybox:1']);
  expectError(await stack.stack(['up', '-d', '--pull', 'never', 'db']), 1, /pull policy is never/);
  const pulled = await stack.stack([
    '--progress',
    'json',
    'up',
    '-d',
    '--quiet-pull',
    '--pull',
    'if_not_present',
    'db',
  ]);
  expect([pulled.code, progress(pulled.stderr, /pull image/)]).toEqual([0, 0]);
});
