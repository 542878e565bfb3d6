/** Published ports, asked from every side: outside, the host's loopback, the host's address, the container itself. */
import { expect, test } from 'vitest';
import { idle, list, listed, published, scenario, shell } from './harness/scenario.ts';

const world = scenario();

/** A web server that answers its own host name, and under `/from` the caller's address. */
function web(ports: unknown[], more: object = {}) {
  const script = 'mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www';
  return { ...shell(script, { init: true, hostname: 'server', ports }), ...more };
}

/** As `web` in a larger image: tells the caller's address, over TCP and UDP. */
const teller = (ports: unknown[]) => ({
  image: 'node:24-slim',
  init: true,
  ports,
  command: [
    'node',
    '-e',
    `require('http').createServer((q, r) => r.end(q.socket.remoteAddress)).listen(80, '0.0.0.0');
     const udp = require('dgram').createSocket('udp4');
     udp.on('message', (text, from) => udp.send(from.address + ' ' + text, from.port, from.address)).bind(7777);`,
  ],
});

test('a port is reached from outside, from loopback, from the host address, and from containers', async () => {
  const stack = world.project('ports', { services: { web: web(['8080:80']), other: idle } });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://127.0.0.1:8080/')).toBe('server\n');
  expect(await world.host.answered('http://localhost:8080/')).toBe('server\n');
  expect(await world.host.answered('http://192.0.2.1:8080/')).toBe('server\n');
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('server\n');
  const fetch = ['wget', '-q', '-O', '-', 'http://192.0.2.1:8080/'];
  expect(await stack.ok(['exec', '-T', 'web', ...fetch])).toBe('server\n');
  expect(await stack.ok(['exec', '-T', 'other', ...fetch])).toBe('server\n');
  expect(await stack.ok(['exec', '-T', 'other', 'wget', '-q', '-O', '-', 'http://web/'])).toBe('server\n');
});

test('callers from outside keep their address', async () => {
  const stack = world.project('callers', { services: { web: teller(['8080:80']) } });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('192.0.2.2');
});

test('an address binds the port to itself alone', async () => {
  const stack = world.project('bound', { services: { web: web(['127.0.0.1:8080:80']) } });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://127.0.0.1:8080/')).toBe('server\n');
  expect(await world.host.request('http://192.0.2.1:8080/', { from: 'outside', timeoutMs: 1000 })).toHaveProperty(
    'error',
  );
  // Packets to 127.0.0.1 that come over the wire are the neighbour's, not ours (CVE-2020-8558).
  await world.host.read(
    'ip route add 127.0.0.0/8 via 192.0.2.1 dev eth0 table 77; ip rule add to 127.0.0.1 dport 8080 table 77 pref 0; sysctl -qw net.ipv4.conf.all.route_localnet=1',
    { from: 'outside' },
  );
  expect(await world.host.request('http://127.0.0.1:8080/', { from: 'outside', timeoutMs: 1000 })).toHaveProperty(
    'error',
  );
  await world.host.read('ip rule del pref 0 table 77; sysctl -qw net.ipv4.conf.all.route_localnet=0', {
    from: 'outside',
  });
});

test('a range publishes each of its ports, and a port without a number gets a free one', async () => {
  const stack = world.project('ranges', { services: { web: web(['8000-8002:80-82', '80']) } });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://127.0.0.1:8000/')).toBe('server\n');
  const { Publishers } = await listed(stack, 'web');
  const pairs = Publishers.map(({ PublishedPort, TargetPort }) => `${PublishedPort}:${TargetPort}`);
  expect(pairs).toEqual(expect.arrayContaining(['8001:81', '8002:82']));
  const free = Publishers.find(({ TargetPort, PublishedPort }) => TargetPort === 80 && PublishedPort !== 8000);
  expect(await world.host.answered(`http://127.0.0.1:${free!.PublishedPort}/`)).toBe('server\n');
});

test('replicas share a range: each gets its own port of it', async () => {
  const stack = world.project('shared-range', {
    services: { web: { ...web(['8100-8102:80']), scale: 3, hostname: undefined } },
  });
  await stack.ok(['up', '-d']);
  const ports = (await list(stack)).flatMap(({ Publishers }) => Publishers.map(({ PublishedPort }) => PublishedPort));
  expect([...new Set(ports)].sort()).toEqual([8100, 8101, 8102]);
  const names = await Promise.all([8100, 8101, 8102].map((port) => world.host.answered(`http://127.0.0.1:${port}/`)));
  expect(new Set(names).size).toBe(3);
});

test('a UDP port answers from outside and from loopback', async () => {
  const stack = world.project('udp', { services: { echo: teller(['7777:7777/udp']) } });
  await stack.ok(['up', '-d']);
  const ask = (address: string) =>
    `for i in $(seq 50); do exec 3<>/dev/udp/${address}/7777; echo hello >&3; timeout 0.2 head -n 1 <&3 && exit 0; done; exit 1`;
  expect(await world.host.read(ask('192.0.2.1'), { from: 'outside' })).toBe('192.0.2.2 hello');
  expect(await world.host.read(ask('127.0.0.1'))).toMatch(/ hello$/);
});

test('with IPv6 a port is reached under the addresses of both families', async () => {
  const stack = world.project('both', {
    services: {
      web: {
        ...web(['8080:80']),
        command: ['sh', '-c', 'mkdir /www; echo both > /www/index.html; exec httpd -f -p "[::]:80" -h /www'],
      },
    },
    networks: { default: { enable_ipv6: true } },
  });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('both\n');
  expect(await world.host.answered('http://[2001:db8::1]:8080/', { from: 'outside' })).toBe('both\n');
  expect(await world.host.answered('http://localhost:8080/')).toBe('both\n');
  // Where bridged packets pass the IP hooks, ::1 refuses and localhost goes on to 127.0.0.1 (docs/networks.md).
  const hooks = (value: number) => `f=/proc/sys/net/bridge/bridge-nf-call-ip6tables; [ ! -e $f ] || echo ${value} > $f`;
  await world.host.read(hooks(0));
  await stack.ok(['up', '-d', '--force-recreate']);
  expect(await world.host.answered('http://[::1]:8080/')).toBe('both\n');
  await world.host.read(hooks(1));
  expect(await stack.ok(['exec', '-T', 'web', 'wget', '-q', '-O', '-', 'http://[2001:db8::2]/'])).toBe(
    '2001:db8::1 GET /\n',
  );
});

test('a container reaches the world under the address of the host', async () => {
  const stack = world.project('outbound', { services: { client: idle } });
  await stack.ok(['up', '-d']);
  const answer = await stack.ok(['exec', '-T', 'client', 'wget', '-q', '-O', '-', 'http://192.0.2.2/out']);
  expect(answer).toBe('192.0.2.1 GET /out\n');
});

test('an internal network reaches its own and nothing else', async () => {
  const stack = world.project('internal', {
    services: {
      client: { ...idle, networks: ['closed'] },
      web: web([], { networks: ['closed'] }),
    },
    networks: { closed: { internal: true } },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'client', 'wget', '-q', '-O', '-', 'http://web/'])).toBe('server\n');
  const out = await stack.stack(['exec', '-T', 'client', 'timeout', '2', 'wget', '-q', '-O', '-', 'http://192.0.2.2/']);
  expect(out).toMatchObject({ code: 1, stdout: '' });
  expect(out.stderr).toContain('unreachable');
});

test('stacks do not reach each other, except over published ports', async () => {
  const one = world.project('one', { services: { web: web(['8080:80']) } });
  const two = world.project('two', { services: { client: idle } });
  await one.ok(['up', '-d']);
  await two.ok(['up', '-d']);
  await world.host.answered('http://127.0.0.1:8080/');
  const address = (await one.ok(['exec', '-T', 'web', 'hostname', '-i'])).trim();
  const get = (url: string) => two.stack(['exec', '-T', 'client', 'timeout', '2', 'wget', '-q', '-O', '-', url]);
  expect(await get(`http://${address}/`)).toMatchObject({ code: 143 });
  expect(await get('http://192.0.2.1:8080/')).toMatchObject({ code: 0, stdout: 'server\n' });
});

test('a restarted container keeps its published port', async () => {
  const stack = world.project('kept', { services: { web: web(['80']) } });
  await stack.ok(['up', '-d']);
  const port = await published(stack, 'web', 80);
  await world.host.answered(`http://127.0.0.1:${port}/`);
  await stack.ok(['restart', '-t', '0']);
  expect(await world.host.answered(`http://127.0.0.1:${port}/`)).toBe('server\n');
});
