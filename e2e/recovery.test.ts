/** State files lost before `up`, a machine that stopped too early, commands side by side, a command cut short by Ctrl-C. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { idle, list, scenario } from './harness/scenario.ts';

const world = scenario();

const file = {
  services: {
    web: { ...idle, ports: ['8080:80'], volumes: ['data:/data'] },
    db: { ...idle, networks: ['default', 'back'] },
  },
  networks: { back: {} },
  volumes: { data: {} },
};

test('with every state file lost, `up` makes the stack anew and leaves nothing of the old one', async () => {
  const stack = world.project('renewed', file);
  await stack.ok(['up', '-d']);
  for (const lost of ['stacks', 'networks']) rmSync(join(world.host.root, lost), { recursive: true });
  rmSync(world.host.run, { recursive: true });
  await stack.ok(['up', '-d']);
  expect((await list(stack)).map(({ State }) => State)).toEqual(['running', 'running']);
  expect(world.host.processes().filter((line) => line.endsWith(' sleep 1000000'))).toHaveLength(2);
});

test('commands on different stacks run side by side', async () => {
  const stacks = ['side-a', 'side-b', 'side-c'].map((name) =>
    world.project(name, { services: { one: idle, two: idle } }),
  );
  const done = await Promise.all(stacks.map((stack) => stack.stack(['up', '-d'])));
  expect(done.map(({ code }) => code)).toEqual([0, 0, 0]);
  const ended = await Promise.all(stacks.map((stack) => stack.stack(['down', '-t', '0'])));
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(await world.host.leaks()).toEqual([]);
});

test('Ctrl-C in the middle of `up -d` takes back what was half made', async () => {
  const stack = world.project('cut', {
    services: {
      slow: { ...idle, healthcheck: { test: 'false', interval: '10s', retries: 100 } },
      after: { ...idle, depends_on: { slow: { condition: 'service_healthy' } } },
    },
  });
  const up = stack.start(['up', '-d']);
  await up.output(/slow.*Waiting|Waiting.*slow/i);
  up.kill('SIGINT');
  expect((await up.exited).code).toBe(130);
  expect((await list(stack)).filter(({ Service }) => Service === 'after')).toEqual([]);
  await stack.ok(['down', '-t', '0']);
  expect(await world.host.leaks()).toEqual([]);
});

test('a container whose image had not reached the disk when the machine stopped starts with the image made anew', async () => {
  const stack = world.project('early', { services: { one: idle } });
  await stack.ok(['up', '-d']);
  await stack.ok(['stop', '-t', '0']);
  const layers = join(world.host.root, 'layers');
  const records = join(world.host.root, 'images/records');
  const isSettled = () => readdirSync(layers).every((chain) => readdirSync(join(layers, chain)).includes('done'));
  await until('all is settled', async () => isSettled() && readdirSync(records).some((name) => name.endsWith('.json')));
  for (const directory of [records, ...readdirSync(layers).map((chain) => join(layers, chain))]) {
    for (const name of readdirSync(directory)) {
      const other = name.replace(/fresh-.*/, 'fresh-01234567-89ab-cdef-0123-456789abcdef');
      if (other !== name) renameSync(join(directory, name), join(directory, other));
      else if (name === 'done' || name.endsWith('.json')) rmSync(join(directory, name));
    }
  }
  // As ext4 without its journal may leave it.
  const [top] = readdirSync(layers);
  rmSync(join(layers, top!, 'fs/bin'), { recursive: true });
  await stack.ok(['start']);
  expect((await list(stack)).map(({ State }) => State)).toEqual(['running']);
});
