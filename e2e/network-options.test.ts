/** `driver_opts` of bridges, seen from inside containers, from the host and from outside. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { expectError, idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();

const bridge = (options: Record<string, string>) =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [`com.docker.network.bridge.${name}`, value]));
const web = (more: object = {}) =>
  shell('mkdir -p /www && echo web > /www/index.html && exec httpd -f -p 80 -h /www', { init: true, ...more });
const get = (stack: Project, from: string, url: string) =>
  stack.stack(['exec', '-T', from, 'timeout', '2', 'wget', '-q', '-O', '-', url]);
/** Of `eth0` or another interface. */
const address = async (stack: Project, service: string, name = 'eth0') =>
  /inet ([0-9.]+)\//.exec(await stack.ok(['exec', '-T', service, 'ip', '-4', 'addr', 'show', 'dev', name]))![1]!;

test('a bridge has the name it was given, and forwards; a name that is taken is refused', async () => {
  const file = (name: string) => ({
    services: { web: web({ ports: ['8080:80'] }) },
    networks: { default: { driver_opts: { ...bridge({ name }), 'com.docker.network.container_iface_prefix': 'lan' } } },
  });
  await world.host.read('ip link add taken0 type bridge');
  const stack = world.project('called', file('taken0'));
  expectError(await stack.stack(['up', '-d']), 1, /taken0/, /Stack did not make/);
  expect(await world.host.read('ip -br link show taken0')).toContain('taken0');
  await world.host.read('ip link del taken0');
  stack.define(file('br-called'));
  await stack.ok(['up', '-d']);
  expect(await world.host.read('ip -d link show br-called')).toContain('stack:called:network:called_default');
  expect(await address(stack, 'web', 'lan0')).toMatch(/^172\./);
  expect(await world.host.answered('http://192.0.2.1:8080/', { from: 'outside' })).toBe('web\n');
  expect(await get(stack, 'web', 'http://192.0.2.2/out')).toMatchObject({ code: 0 });
  const other = world.project('other', { services: { client: idle } });
  await other.ok(['up', '-d']);
  const forwarded = () => world.host.read('nft list table ip stack-forwarding');
  expect(await forwarded()).toContain('br-called');
  const rival = world.project('rival', file('br-called'));
  expectError(await rival.stack(['up', '-d']), 1, /br-called/, /called_default of the stack called/);
  expect(await stack.stack(['plan'])).toMatchObject({ code: 0 });
  await stack.ok(['down', '-t', '0']);
  expect(await forwarded()).not.toContain('br-called');
});

test('containers of a network without enable_icc reach the world and not each other', async () => {
  const stack = world.project('quiet', {
    services: { web: web({ ports: ['8080:80'] }), client: idle },
    networks: { default: { driver_opts: bridge({ enable_icc: 'false' }) } },
  });
  await stack.ok(['up', '-d']);
  await world.host.answered('http://127.0.0.1:8080/');
  expect(await get(stack, 'client', 'http://web/')).toMatchObject({ stdout: '' });
  expect(await get(stack, 'client', 'http://192.0.2.2/out')).toMatchObject({ code: 0 });
  // Where bridged packets pass the IP hooks, what is published is led to its container on the bridge itself.
  const hooks = (value: number) => `f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo ${value} > $f`;
  await world.host.read(hooks(0));
  const published = await get(stack, 'client', 'http://192.0.2.1:8080/');
  expect(await get(stack, 'client', 'http://web/')).toMatchObject({ stdout: '' });
  await world.host.read(hooks(1));
  expect(published).toMatchObject({ code: 0, stdout: 'web\n' });
});

test('without masquerade a container goes out under its own address', async () => {
  const stack = world.project('open', {
    services: { client: idle },
    networks: { default: { driver_opts: bridge({ enable_ip_masquerade: 'false' }) } },
  });
  await stack.ok(['up', '-d']);
  const own = await address(stack, 'client');
  await world.host.read(`ip route add ${own}/32 via 192.0.2.1`, { from: 'outside' });
  expect(await get(stack, 'client', 'http://192.0.2.2/out')).toMatchObject({ stdout: `${own} GET /out\n` });
  await world.host.read(`ip route del ${own}/32`, { from: 'outside' });
});

test('a network says where its ports are published', async () => {
  const stack = world.project('local', {
    services: { web: web({ ports: ['8080:80'] }) },
    networks: { default: { driver_opts: bridge({ host_binding_ipv4: '127.0.0.1' }) } },
  });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://127.0.0.1:8080/')).toBe('web\n');
  const refused = await world.host.request('http://192.0.2.1:8080/', { from: 'outside', timeoutMs: 1000 });
  expect(refused).toHaveProperty('error');
});

test('a routed network is reached at the addresses of its containers, at published ports alone', async () => {
  const routed = (mode: string) => ({
    services: {
      web: shell('mkdir -p /www; echo web > /www/index.html; httpd -p 81 -h /www; exec httpd -f -p 80 -h /www', {
        init: true,
        ports: ['80'],
      }),
      other: { ...idle, networks: ['other'] },
    },
    networks: {
      default: {
        ipam: { config: [{ subnet: '10.78.0.0/24' }] },
        driver_opts: bridge({ gateway_mode_ipv4: mode }),
      },
      other: {},
    },
  });
  await world.host.read('ip route add 10.78.0.0/24 via 192.0.2.1', { from: 'outside' });
  const stack = world.project('routed', routed('routed'));
  await stack.ok(['up', '-d']);
  const ask = (port: number) => world.host.request(`http://10.78.0.2:${port}/`, { from: 'outside', timeoutMs: 1500 });
  expect(await world.host.answered('http://10.78.0.2:80/', { from: 'outside' })).toBe('web\n');
  expect(await ask(81)).toHaveProperty('error');
  expect(await stack.ok(['exec', '-T', 'other', 'ping', '-c', '1', '-W', '5', '10.78.0.2'])).toContain(
    ' 0% packet loss',
  );
  expect(await get(stack, 'web', 'http://192.0.2.2/out')).toMatchObject({ stdout: '10.78.0.2 GET /out\n' });
  stack.define(routed('nat-unprotected'));
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://10.78.0.2:81/', { from: 'outside' })).toBe('web\n');
  await world.host.read('ip route del 10.78.0.0/24', { from: 'outside' });
});

test('the host has no address on an isolated network, nor where another is the gateway', async () => {
  const stack = world.project('alone', {
    services: { web: web({ networks: ['isolated'] }), client: { ...idle, networks: ['isolated', 'inhibited'] } },
    networks: {
      isolated: { internal: true, driver_opts: bridge({ gateway_mode_ipv4: 'isolated', name: 'br-alone' }) },
      inhibited: { driver_opts: bridge({ inhibit_ipv4: 'true', name: 'br-inhibited' }) },
    },
  });
  await stack.ok(['up', '-d']);
  expect(await get(stack, 'client', 'http://web/')).toMatchObject({ stdout: 'web\n' });
  expect(await world.host.read('ip -4 addr show dev br-alone; ip -4 addr show dev br-inhibited')).toBe('');
  expect((await stack.stack(['plan'])).code).toBe(0);
});
