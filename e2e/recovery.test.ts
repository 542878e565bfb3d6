/** What went wrong outside of any command: monitors killed, state files lost, commands side by side or cut short. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { idle, list, listed, scenario } from './harness/scenario.ts';

const world = scenario();

const file = {
  services: {
    web: { ...idle, ports: ['8080:80'], volumes: ['data:/data'] },
    db: { ...idle, networks: ['default', 'back'] },
  },
  networks: { back: {} },
  volumes: { data: {} },
};

/** The monitor's pid as the host counts, from the status file it writes. */
function monitorOf(id: string): number {
  const inside = Number(
    /^shim (\d+)$/m.exec(readFileSync(join(world.host.run, 'containers', id, 'status'), 'utf8'))?.[1],
  );
  const found = world.host.processes().find((line) => {
    const status = readFileSync(`/proc/${Number.parseInt(line, 10)}/status`, 'utf8');
    return new RegExp(`^NSpid:.*\\t${inside}$`, 'm').test(status);
  });
  if (!found) throw new Error(`no monitor ${inside}`);
  return Number.parseInt(found, 10);
}

test('a container whose monitor was killed ends with it, and the next `up` replaces it alone', async () => {
  const stack = world.project('orphaned', file);
  await stack.ok(['up', '-d']);
  const before = { web: (await listed(stack, 'web')).ID, db: (await listed(stack, 'db')).ID };
  const full = (await world.host.read(`ls ${world.host.root}/stacks/orphaned`)).split('\n');
  process.kill(monitorOf(full.find((id) => id.startsWith(before.web.slice(0, 12)))!), 'SIGKILL');
  await until('it is seen', async () => (await listed(stack, 'web')).State !== 'running');
  await stack.ok(['up', '-d']);
  expect((await list(stack)).map(({ State }) => State)).toEqual(['running', 'running']);
  expect((await listed(stack, 'db')).ID).toBe(before.db);
  expect(world.host.processes().filter((line) => line.endsWith(' sleep 1000000'))).toHaveLength(2);
});

test('with every state file lost, `down` still finds and removes all of the stack', async () => {
  const stack = world.project('forgotten', file);
  await stack.ok(['up', '-d']);
  for (const lost of ['stacks', 'networks', 'volumes']) rmSync(join(world.host.root, lost), { recursive: true });
  rmSync(world.host.run, { recursive: true });
  await stack.ok(['down', '-v', '-t', '0']);
  // The kernel takes a namespace apart, and the links that led into it, some time after its last process.
  await until('nothing is left', async () => (await world.host.leaks()).length === 0);
});

test('with every state file lost, `up` makes the stack anew and leaves nothing of the old one', async () => {
  const stack = world.project('renewed', file);
  await stack.ok(['up', '-d']);
  for (const lost of ['stacks', 'networks']) rmSync(join(world.host.root, lost), { recursive: true });
  rmSync(world.host.run, { recursive: true });
  await stack.ok(['up', '-d']);
  expect((await list(stack)).map(({ State }) => State)).toEqual(['running', 'running']);
  expect(world.host.processes().filter((line) => line.endsWith(' sleep 1000000'))).toHaveLength(2);
});

test('two commands on one stack take turns', async () => {
  const stack = world.project('turns', file);
  const done = await Promise.all([stack.stack(['up', '-d']), stack.stack(['up', '-d'])]);
  expect(done.map(({ code }) => code)).toEqual([0, 0]);
  expect((await list(stack)).map(({ Name }) => Name)).toEqual(['turns-db-1', 'turns-web-1']);
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
