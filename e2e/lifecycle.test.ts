/** Stacks that start, stop, restart, change and end. */
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { idle, list, listed, scenario, shell } from './harness/scenario.ts';

const world = scenario();
const states = async (stack: Parameters<typeof list>[0]) =>
  Object.fromEntries((await list(stack)).map(({ Name, State }) => [Name, State]));

test('stop, start, restart and kill act on the services named', async () => {
  const stack = world.project('acts', { services: { a: idle, b: idle } });
  await stack.ok(['up', '-d']);
  await stack.ok(['stop', '-t', '1', 'a']);
  expect(await states(stack)).toEqual({ 'acts-a-1': 'exited', 'acts-b-1': 'running' });
  await stack.ok(['start', 'a']);
  expect(await states(stack)).toEqual({ 'acts-a-1': 'running', 'acts-b-1': 'running' });
  const before = await stack.ok(['exec', '-T', 'a', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat']);
  await stack.ok(['restart', '-t', '1', 'a']);
  expect(await stack.ok(['exec', '-T', 'a', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat'])).not.toBe(before);
  await stack.ok(['kill', 'b']);
  await until('b is killed', async () => (await listed(stack, 'b')).State === 'exited');
  expect((await listed(stack, 'b')).ExitCode).toBe(137);
  await stack.ok(['kill', '-s', 'TERM', 'a']);
  await until('a is ended', async () => (await listed(stack, 'a')).ExitCode === 143);
});

test('the stop signal and the grace period are those of the service', async () => {
  const trap = (signal: string) => `trap "exit 5" ${signal}; trap "" TERM; echo ready; while :; do sleep 0.05; done`;
  const stack = world.project('graceful', {
    services: {
      own: shell(trap('USR1'), { stop_signal: 'SIGUSR1' }),
      deaf: shell('trap "" TERM; echo ready; while :; do sleep 0.05; done', { stop_grace_period: '300ms' }),
    },
  });
  await stack.ok(['up', '-d']);
  await until('both are ready', async () => (await stack.ok(['logs'])).match(/ready/g)?.length === 2);
  const began = Date.now();
  await stack.ok(['stop']);
  expect(Date.now() - began).toBeLessThan(5000);
  expect((await listed(stack, 'own')).ExitCode).toBe(5);
  expect((await listed(stack, 'deaf')).ExitCode).toBe(137);
});

test('`down` stops dependants before what they depend on', async () => {
  const order = `trap 'sleep 0.2; cut -d " " -f 1 /proc/uptime > /times/$(hostname); exit 0' TERM; echo ready; while :; do sleep 0.05; done`;
  const service = (hostname: string, more: object = {}) =>
    shell(order, { hostname, volumes: ['./times:/times'], ...more });
  const stack = world.project('order', {
    services: { web: service('web', { depends_on: ['db'] }), db: service('db') },
  });
  await stack.ok(['up', '-d']);
  await until('both are ready', async () => (await stack.ok(['logs'])).match(/ready/g)?.length === 2);
  await stack.ok(['down']);
  const time = async (name: string) => Number(await world.host.read(`cat ${stack.folder}/times/${name}`));
  expect(await time('web')).toBeLessThan(await time('db'));
});

test('`up` in the foreground shows the logs, stops at Ctrl-C, and kills at the second', async () => {
  const stack = world.project('foreground', {
    services: {
      polite: shell('trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.05; done'),
      deaf: shell('trap "" TERM; echo hello; while :; do sleep 0.05; done', { stop_grace_period: '10m' }),
    },
  });
  const up = stack.start(['up']);
  await up.output(/polite-1\s+\| hello/);
  await up.output(/deaf-1\s+\| hello/);
  up.kill('SIGINT');
  await up.output(/bye/);
  up.kill('SIGINT');
  const done = await up.exited;
  expect(done.code).toBe(130);
  await until('nothing runs', async () => Object.values(await states(stack)).every((state) => state === 'exited'));
});

test('`up` in the foreground ends by itself with the last container', async () => {
  const stack = world.project('short', { services: { a: shell('echo one'), b: shell('echo two; exit 4') } });
  const done = await stack.stack(['up']);
  expect(done.code).toBe(0);
  expect(done.stdout).toMatch(/a-1\s+\| one/);
  expect(done.stdout).toMatch(/b-1 exited with code 4/);
});

test('restart policies start again what they should, with growing pauses', async () => {
  const count = 'echo started; exit ';
  const stack = world.project('policies', {
    services: {
      never: shell(`${count} 1`),
      always: shell(`${count} 0`, { restart: 'always' }),
      twice: shell(`${count} 1`, { restart: 'on-failure:2' }),
      fine: shell(`${count} 0`, { restart: 'on-failure' }),
    },
  });
  await stack.ok(['up', '-d']);
  const starts = async (service: string) =>
    (await stack.ok(['logs', '--no-log-prefix', service])).match(/started/g)?.length ?? 0;
  await until('always has been started three times', async () => (await starts('always')) >= 3);
  await until('twice has been started three times', async () => (await starts('twice')) === 3);
  expect(await starts('never')).toBe(1);
  expect(await starts('fine')).toBe(1);
  await stack.ok(['stop', 'always']);
  const stopped = await starts('always');
  expect((await listed(stack, 'always')).State).toBe('exited');
  expect(await starts('always')).toBe(stopped);
});

test('a container restarted by its policy keeps its address and its names', async () => {
  const stack = world.project('steady', {
    services: { one: shell('exec sleep 31536000', { restart: 'always' }), other: idle },
  });
  await stack.ok(['up', '-d']);
  const address = await stack.ok(['exec', '-T', 'one', 'hostname', '-i']);
  const begun = await stack.ok(['exec', '-T', 'one', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat']);
  // The first process of a pid namespace is deaf to signals from within: it is killed from the host.
  const [found] = world.host.processes().filter((line) => line.endsWith(' sleep 31536000'));
  process.kill(Number.parseInt(found!, 10), 'SIGKILL');
  await until('it runs again', async () => {
    const again = await stack.stack(['exec', '-T', 'one', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat']);
    return again.code === 0 && again.stdout !== begun;
  });
  expect(await stack.ok(['exec', '-T', 'one', 'hostname', '-i'])).toBe(address);
});

test('dependants wait for health, and `up --wait` for everything', async () => {
  const stack = world.project('healthy', {
    services: {
      db: shell('sleep 0.7; touch /ready; exec sleep 1000000', {
        init: true,
        healthcheck: { test: ['CMD', 'test', '-e', '/ready'], interval: '100ms', retries: 100 },
      }),
      web: shell('echo web started; exec sleep 1000000', {
        init: true,
        depends_on: { db: { condition: 'service_healthy' } },
        healthcheck: { test: 'true', interval: '100ms' },
      }),
    },
  });
  await stack.ok(['up', '-d', '--wait']);
  expect((await list(stack)).map(({ Health }) => Health)).toEqual(['healthy', 'healthy']);
});

test('an unhealthy dependency stops the start and is named with its last probe', async () => {
  const stack = world.project('unhealthy', {
    services: {
      db: shell('exec sleep 1000000', {
        init: true,
        healthcheck: { test: ['CMD-SHELL', 'echo no connection; exit 2'], interval: '50ms', retries: 2 },
      }),
      web: { ...idle, depends_on: { db: { condition: 'service_healthy' } } },
    },
  });
  const done = await stack.stack(['up', '-d']);
  expect(done.code).toBe(1);
  expect(done.stderr).toMatch(/db/);
  expect(done.stderr).toMatch(/unhealthy/);
  expect(done.stderr).toMatch(/no connection/);
  expect((await list(stack)).filter(({ Service, State }) => Service === 'web' && State === 'running')).toEqual([]);
});

test('a job that fails stops what depends on its success', async () => {
  const stack = world.project('failing', {
    services: {
      job: shell('echo cannot go on >&2; exit 3'),
      web: { ...idle, depends_on: { job: { condition: 'service_completed_successfully' } } },
    },
  });
  const done = await stack.stack(['up', '-d']);
  expect(done.code).toBe(1);
  expect(done.stderr).toMatch(/job/);
  expect(done.stderr).toMatch(/3/);
  expect((await list(stack)).filter(({ Service, State }) => Service === 'web' && State === 'running')).toEqual([]);
});

test('health changes while the container runs', async () => {
  const stack = world.project('changing', {
    services: {
      one: {
        ...idle,
        healthcheck: { test: ['CMD', 'test', '!', '-e', '/broken'], interval: '50ms', retries: 1 },
      },
    },
  });
  await stack.ok(['up', '-d', '--wait']);
  await stack.ok(['exec', '-T', 'one', 'touch', '/broken']);
  await until('it is unhealthy', async () => (await listed(stack, 'one')).Health === 'unhealthy');
  await stack.ok(['exec', '-T', 'one', 'rm', '/broken']);
  await until('it is healthy', async () => (await listed(stack, 'one')).Health === 'healthy');
});
