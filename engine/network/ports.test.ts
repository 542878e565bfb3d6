import { closeSync, fstatSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import type { Port } from '../../schemas/project.ts';
import { holdPorts, reservePorts } from './ports.ts';
import type { Publishing } from './publications.ts';

/** Binds nothing: hands out descriptors of /dev/null and refuses what is listed. */
function fake(refused: Record<string, string> = {}) {
  const fds: number[] = [];
  const bound: string[] = [];
  const bind = (kind: string, address: string, port: number) => {
    const key = `${address}:${port}/${kind}`;
    const code = refused[key] ?? (bound.includes(key) ? 'EADDRINUSE' : undefined);
    if (code) throw Object.assign(new Error(key), { code });
    bound.push(key);
    fds.push(openSync('/dev/null', 'r'));
    return fds.at(-1)!;
  };
  return { kernel: { bind } as unknown as NetworkVerbs, fds, bound };
}

const port = (published: string | undefined, fields: Partial<Port> = {}): Port => ({
  target: 80,
  protocol: 'tcp',
  ...(published === undefined ? {} : { published }),
  ...fields,
});
const reserve = (world: ReturnType<typeof fake>, ports: Port[], publishing: Partial<Publishing> = {}) => {
  const request = { container: 'demo-web-1', ports, publishing: { hasIpv6: false, routed: [], ...publishing } };
  return reservePorts(world.kernel, request, () => 'the process x (1)');
};

test('a fixed port, both families where the container has IPv6', () => {
  const world = fake();
  const { ports } = reserve(world, [port('8080'), port('53', { protocol: 'udp', host_ip: '127.0.0.1' })], {
    hasIpv6: true,
  });
  expect(world.bound).toEqual(['0.0.0.0:8080/tcp', ':::8080/tcp', '127.0.0.1:53/udp']);
  expect(ports[1]).toEqual({ protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80 });
  world.fds.forEach(closeSync);
});

test('the first of a range that is free for all addresses; a half bound one is given back', () => {
  const world = fake({ '0.0.0.0:8000/tcp': 'EADDRINUSE', ':::8001/tcp': 'EADDRINUSE' });
  const { ports, fds } = reserve(world, [port('8000-8003')], { hasIpv6: true });
  expect(ports.map((one) => one.hostPort)).toEqual([8002, 8002]);
  // The kernel hands out the lowest free number: the first descriptor was closed, and came again.
  expect(world.fds).toHaveLength(3);
  expect(new Set(world.fds).size).toBe(2);
  fds.forEach(closeSync);
});

test('a taken port names its holder and leaves nothing bound', () => {
  const world = fake({ '0.0.0.0:8081/tcp': 'EADDRINUSE' });
  expect(() => reserve(world, [port('8080'), port('8081')])).toThrow(
    expect.objectContaining({
      code: 'network.port-taken',
      message: 'demo-web-1 cannot publish 0.0.0.0:8081/tcp: the process x (1) has the port.',
    }),
  );
  expect(() => fstatSync(world.fds[0]!)).toThrow(/EBADF/);
});

test('any free port', () => {
  const world = fake();
  const { ports, fds } = reserve(world, [port(undefined)]);
  expect(ports[0]!.hostPort).toBeGreaterThan(1023);
  fds.forEach(closeSync);
});

test.each([
  ['network.address', fake({ '10.9.9.9:80/tcp': 'EADDRNOTAVAIL' }), port('80', { host_ip: '10.9.9.9' })],
  ['network.kernel', fake({ '0.0.0.0:80/tcp': 'EACCES' }), port('80')],
  ['config.value', fake(), port('80-70')],
  ['config.value', fake(), port('eighty')],
  ['config.value', fake(), port('70000')],
  ['config.not-supported', fake(), port('80', { protocol: 'sctp' })],
  ['config.not-supported', fake(), port('80', { host_ip: '::1' })],
])('%s', (code, world, wanted) => {
  expect(() => reserve(world, [wanted])).toThrow(expect.objectContaining({ code }));
});

test('ports of a container that starts again', () => {
  const world = fake({ '0.0.0.0:81/tcp': 'EADDRINUSE' });
  const one = { protocol: 'tcp' as const, hostAddress: '0.0.0.0', hostPort: 80, containerPort: 80 };
  const fds = holdPorts(world.kernel, 'demo-web-1', [one], () => undefined);
  expect(fds).toHaveLength(1);
  fds.forEach(closeSync);
  expect(() => holdPorts(world.kernel, 'demo-web-1', [{ ...one, hostPort: 81 }], () => undefined)).toThrow(
    /someone else/,
  );
});

test('a network says where its ports are published that name no address', () => {
  const world = fake();
  const all = [port('80'), port('81', { host_ip: '::' })];
  const { fds } = reserve(world, all, { hasIpv6: true, hostBinding: '127.0.0.1' });
  expect(world.bound).toEqual(['127.0.0.1:80/tcp', ':::81/tcp']);
  fds.forEach(closeSync);
});

test('where the network is routed no port of the host is taken, now and at the next start', () => {
  const world = fake();
  const { ports, fds } = reserve(world, [port('8080')], { hasIpv6: true, routed: ['ipv4'] });
  expect(world.bound).toEqual([':::8080/tcp']);
  expect(ports.map(({ hostAddress, hostPort }) => [hostAddress, hostPort])).toEqual([
    ['0.0.0.0', 0],
    ['::', 8080],
  ]);
  fds.forEach(closeSync);
  const again = holdPorts(fake().kernel, 'demo-web-1', ports, () => undefined);
  expect(again).toHaveLength(1);
  again.forEach(closeSync);
});
