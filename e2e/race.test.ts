/** Commands of one stack at once, and commands that are told to end: the stack is what the last of them wanted. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { random, rounds, seed } from './harness/random.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();
const next = random(seed);

const definition = (version: string) => ({
  services: {
    web: { ...idle, environment: { VERSION: version }, depends_on: ['db'], ports: ['8080:80'] },
    db: { ...idle, volumes: ['data:/data', '/anonymous'] },
    worker: { ...idle, scale: 2, environment: { VERSION: version } },
  },
  volumes: { data: {} },
});
const everything = ['db-1', 'web-1', 'worker-1', 'worker-2'];

const states = async (stack: Project) =>
  (await list(stack)).map(({ Name, State }) => `${Name.slice(stack.name.length + 1)} ${State}`);

async function expectUp(stack: Project): Promise<void> {
  await stack.ok(['up', '-d', '-t', '0']);
  expect(await states(stack)).toEqual(everything.map((name) => `${name} running`));
  expect((await stack.stack(['plan'])).stdout.trim()).toBe('No changes.');
}

test(`several commands of one stack at once, with seed ${seed}`, { timeout: 300_000 }, async () => {
  const stack = world.project('race', definition('one'));
  const commands = [
    ['up', '-d', '-t', '0'],
    ['up', '-d', '-t', '0', '--force-recreate'],
    ['up', '-d', '-t', '0', '--scale', 'worker=3'],
    ['down', '-t', '0'],
    ['stop', '-t', '0'],
    ['--dry-run', 'up'],
  ];
  for (let round = 0; round < rounds(6); round++) {
    const chosen = Array.from(
      { length: 2 + Math.floor(next() * 3) },
      () => commands[Math.floor(next() * commands.length)]!,
    );
    const done = await Promise.all(
      chosen.map(async (command, index) => {
        await delay(index * next() * 150);
        return { command, ...(await stack.stack(command)) };
      }),
    );
    expect(done.filter(({ code }) => code !== 0)).toEqual([]);
    stack.define(definition(`${round}`));
    await expectUp(stack);
  }
  await stack.ok(['down', '-v', '-t', '0']);
  expect(await world.host.leaks()).toEqual([]);
});

test('`up` while `down` is at work, and `down` while `up` is: the later one has the last word', async () => {
  // Deaf to SIGTERM: it takes its grace period to stop.
  const deaf = { ...idle, init: false, stop_grace_period: '2s' };
  const stack = world.project('later', { services: { deaf, web: { ...idle, depends_on: ['deaf'] } } });
  await stack.ok(['up', '-d']);
  const down = stack.start(['--progress', 'json', 'down']);
  await down.output(/"type":"started"/);
  const up = await stack.stack(['up', '-d']);
  expect([(await down.exited).code, up.code]).toEqual([0, 0]);
  expect(up.stderr).toMatch(/Waiting {2}stack down \(process \d+\) works on it/);
  expect(await states(stack)).toEqual(['deaf-1 running', 'web-1 running']);
  const again = stack.start(['--progress', 'json', 'up', '-d', '--force-recreate']);
  await again.output(/"type":"started"/);
  await stack.ok(['down', '-v', '-t', '0']);
  expect((await again.exited).code).toBe(0);
  expect(await world.host.leaks()).toEqual([]);
});

test.each<[NodeJS.Signals, number]>([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])(`%s at any moment of up: exit code %d, nothing half made, with seed ${seed}`, async (signal, code) => {
  const stack = world.project('ended', definition('one'));
  await stack.ok(['up', '-d']);
  const wait = { test: ['CMD', 'false'], interval: '1s', retries: 1000 };
  let ended = 0;
  for (let round = 0; round < rounds(5); round++) {
    const { services, volumes } = definition(`${signal} ${round}`);
    const after = { ...idle, depends_on: { worker: { condition: 'service_healthy' } } };
    // Without the wait a command may be over before its signal comes.
    stack.define({ services: { ...services, worker: { ...services.worker, healthcheck: wait }, after }, volumes });
    const live = stack.start(['--progress', 'json', 'up', '-d', '-t', '0']);
    // Node listens from the first event on; a signal before that ends the process as it ends any other.
    await live.output(/"type":"plan"/);
    await delay(next() * 250);
    live.kill(signal);
    const done = await live.exited;
    expect([round, done.code]).toEqual([round, code]);
    ended++;
    const left = await states(stack);
    const halfMade = left.filter((line) => !line.endsWith(' running'));
    expect(halfMade, live.stderr()).toEqual([]);
    expect(left).toEqual(expect.arrayContaining(everything.map((name) => `${name} running`)));
  }
  expect(ended).toBe(rounds(5));
  stack.define(definition('last'));
  await stack.ok(['up', '-d', '-t', '0', '--remove-orphans']);
  expect(await states(stack)).toEqual(everything.map((name) => `${name} running`));
});

test('two signals end the command at once; the next one takes over', async () => {
  const stack = world.project('twice', definition('one'));
  const deaf = { ...idle, init: false, stop_grace_period: '4s' };
  stack.define({ services: { deaf } });
  await stack.ok(['up', '-d']);
  stack.define({ services: { deaf: { ...deaf, environment: { A: 'b' } } } });
  const live = stack.start(['--progress', 'json', 'up', '-d']);
  await live.output(/"type":"started".*container.stop/);
  live.kill('SIGTERM');
  // Two of one kind that are not taken yet are one (signal(7)).
  await delay(300);
  live.kill('SIGTERM');
  expect((await live.exited).code).toBe(143);
  await stack.ok(['up', '-d', '-t', '0']);
  expect((await stack.stack(['plan'])).code).toBe(0);
});
