/** Networks that cannot be: told with their place, and nothing half made. */
import { expect, test } from 'vitest';
import { expectError, idle, scenario } from './harness/scenario.ts';

const world = scenario();

test('what the stack file alone tells is told with its place, before anything is made', async () => {
  const stack = world.project(
    'wrong',
    `services:
  a:
    image: busybox:1
    networks: {n: {ipv4_address: 10.81.1.9}}
  b:
    image: busybox:1
    networks: {n: {ipv4_address: 10.81.0.9}, m: , o: }
networks:
  n: {ipam: {config: [{subnet: 10.81.0.0/24}]}}
  m: {ipam: {config: [{subnet: 10.81.0.128/25}]}}
  o: {driver: wave, driver_opts: {x: y}}
`,
  );
  const up = await stack.stack(['up', '-d']);
  expectError(
    up,
    1,
    /compose\.yaml:4:20/,
    /not in the subnet 10\.81\.0\.0\/24/,
    /compose\.yaml:10:24/,
    /overlaps/,
    /compose\.yaml:11:\d+/,
  );
  expect(await world.host.read('ip -br link show type bridge')).toBe('');
});

test('an address that a container of another stack has, and a subnet that the host has', async () => {
  const shared = { networks: { default: { name: 'common', external: true } } };
  const owner = world.project('first', {
    services: { a: { ...idle, networks: { default: { ipv4_address: '10.82.0.5' } } } },
    networks: { default: { name: 'common', ipam: { config: [{ subnet: '10.82.0.0/24' }] } } },
  });
  await owner.ok(['up', '-d']);
  const guest = world.project('second', {
    services: { b: { ...idle, networks: { default: { ipv4_address: '10.82.0.5' } } } },
    ...shared,
  });
  expectError(await guest.stack(['up', '-d']), 1, /10\.82\.0\.5/, /container [0-9a-f]{12} has it/);
  expect(await guest.ok(['ps', '-a', '-q'])).toBe('');
  const host = world.project('third', {
    services: { c: idle },
    networks: { default: { ipam: { config: [{ subnet: '192.0.2.0/24' }] } } },
  });
  expectError(await host.stack(['up', '-d']), 1, /192\.0\.2\.0\/24 overlaps/, /out0/);
  expect(await world.host.stack(['network', 'ls', '-q'])).toMatchObject({ stdout: expect.stringMatching(/^\S+\n$/) });
});

test('a port that is taken names the process, or the container and its stack', async () => {
  const holder = await world.host.background(
    [process.execPath, '-e', "require('net').createServer().listen(8090, () => console.log('up'))"],
    /up/,
  );
  const one = world.project('one', { services: { web: { ...idle, ports: ['8091:80'] } } });
  await one.ok(['up', '-d']);
  const two = (port: number) => world.project('two', { services: { web: { ...idle, ports: [`${port}:80`] } } });
  expectError(
    await two(8090).stack(['up', '-d']),
    1,
    /two-web-1 cannot publish 0\.0\.0\.0:8090\/tcp: the process \S+ \(\d+\) has the port/,
  );
  expectError(await two(8091).stack(['up', '-d']), 1, /the container one-web-1 of the stack one has the port/);
  expect(await two(8091).ok(['ps', '-a', '-q'])).toBe('');
  await holder.stop();
});

test('a name server that is silent costs a moment, and a name that was unknown is known once it is there', async () => {
  const sleeper = { image: 'debian:bookworm-slim', init: true, command: ['sleep', '1000000'] };
  const stack = world.project('names', {
    services: { client: { ...sleeper, dns: ['192.0.2.99', '192.0.2.2'] }, late: { ...idle, scale: 0 } },
  });
  await stack.ok(['up', '-d']);
  const ask = (name: string) => stack.stack(['exec', '-T', 'client', 'getent', 'ahostsv4', name]);
  expect((await ask('other.world.test')).stdout).toMatch(/^192\.0\.2\.77 /);
  expect(await ask('late')).toMatchObject({ code: 2 });
  await stack.ok(['up', '-d', '--scale', 'late=1']);
  expect(await ask('late')).toMatchObject({ code: 0 });
});
