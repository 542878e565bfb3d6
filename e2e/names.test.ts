/** What the embedded name server answers, asked by real resolvers in containers. */
import { expect, test } from 'vitest';
import { until } from './harness/harness.ts';
import { idle, listed, scenario } from './harness/scenario.ts';

const world = scenario();

/** Addresses a name has for glibc, sorted. */
const script = (name: string) => ['getent', 'ahosts', name];
const sleeper = { image: 'debian:bookworm-slim', init: true, command: ['sleep', '1000000'] };

test('services, containers, aliases and replicas are found by name, and addresses by their names', async () => {
  const stack = world.project('names', {
    services: {
      client: sleeper,
      web: { ...idle, scale: 3, networks: { default: { aliases: ['site', 'Shop.Example'] } } },
      named: { ...idle, container_name: 'by-this-name', hostname: 'inner' },
    },
  });
  await stack.ok(['up', '-d']);
  const resolve = async (name: string) => {
    const out = await stack.stack(['exec', '-T', 'client', ...script(name)]);
    return [...new Set(out.stdout.match(/^\S+/gm) ?? [])].sort();
  };
  const all = await resolve('web');
  expect(all).toHaveLength(3);
  expect(await resolve('site')).toEqual(all);
  expect(await resolve('shop.example')).toEqual(all);
  expect(await resolve('WEB')).toEqual(all);
  const [one] = await resolve('names-web-2');
  expect(all).toContain(one);
  expect(await resolve('by-this-name')).toEqual(await resolve('named'));
  const id = (await listed(stack, 'named')).ID.slice(0, 12);
  expect(await resolve(id)).toEqual(await resolve('named'));
  expect(await stack.ok(['exec', '-T', 'client', 'getent', 'hosts', one!])).toMatch(/names-web-2/);
  expect(await stack.stack(['exec', '-T', 'client', 'getent', 'ahosts', 'nobody'])).toMatchObject({ code: 2 });
  expect(await stack.ok(['exec', '-T', 'named', 'hostname'])).toBe('inner\n');
  expect(await stack.ok(['exec', '-T', 'client', 'cat', '/etc/resolv.conf'])).toMatch(/^nameserver 127\.0\.0\.11$/m);
});

test('a stopped container is not found any more, and found again after its start', async () => {
  const stack = world.project('gone', { services: { client: sleeper, web: idle } });
  await stack.ok(['up', '-d']);
  expect(await stack.stack(['exec', '-T', 'client', ...script('web')])).toMatchObject({ code: 0 });
  await stack.ok(['stop', '-t', '0', 'web']);
  expect(await stack.stack(['exec', '-T', 'client', ...script('web')])).toMatchObject({ code: 2 });
  await stack.ok(['start', 'web']);
  await until('web is found', async () => (await stack.stack(['exec', '-T', 'client', ...script('web')])).code === 0);
});

test('names of the world are asked of the name servers of the host, large answers over TCP', async () => {
  const stack = world.project('foreign', { services: { client: sleeper } });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'client', ...script('world.test')])).toMatch(/^192\.0\.2\.2 /);
  expect(await stack.stack(['exec', '-T', 'client', ...script('nowhere.test')])).toMatchObject({ code: 2 });
  const big = await stack.ok(['exec', '-T', 'client', 'getent', 'ahostsv4', 'big.world.test']);
  expect(new Set(big.match(/^\S+/gm)).size).toBe(60);
});

test('`dns`, `dns_search` and `extra_hosts` reach the container', async () => {
  const stack = world.project('own-dns', {
    services: {
      client: {
        ...sleeper,
        dns: ['192.0.2.2'],
        dns_search: ['world.test'],
        extra_hosts: ['fixed.test:203.0.113.5', 'gateway:host-gateway'],
      },
    },
  });
  await stack.ok(['up', '-d']);
  expect(await stack.ok(['exec', '-T', 'client', ...script('other')])).toMatch(/^192\.0\.2\.77 /);
  expect(await stack.ok(['exec', '-T', 'client', ...script('fixed.test')])).toMatch(/^203\.0\.113\.5 /);
  const gateway = /^(\S+)/.exec(await stack.ok(['exec', '-T', 'client', 'getent', 'ahostsv4', 'gateway']))![1];
  expect(await world.host.read('ip -br -4 address')).toContain(`${gateway}/`);
});

test('services on different networks see only their neighbours', async () => {
  const stack = world.project('apart', {
    services: {
      front: { ...sleeper, networks: ['outer'] },
      middle: { ...sleeper, networks: ['outer', 'inner'] },
      back: { ...sleeper, networks: ['inner'] },
    },
    networks: { outer: {}, inner: {} },
  });
  await stack.ok(['up', '-d']);
  const sees = async (from: string, name: string) =>
    (await stack.stack(['exec', '-T', from, 'getent', 'ahosts', name])).code === 0;
  expect(await sees('front', 'middle')).toBe(true);
  expect(await sees('front', 'back')).toBe(false);
  expect(await sees('middle', 'back')).toBe(true);
  expect(await sees('back', 'front')).toBe(false);
});

test('static addresses and IPv6 are as written', async () => {
  const stack = world.project('static', {
    services: {
      client: { ...sleeper, networks: { net: null } },
      web: {
        ...idle,
        networks: { net: { ipv4_address: '10.77.0.9', ipv6_address: 'fd77::9' } },
      },
    },
    networks: { net: { enable_ipv6: true, ipam: { config: [{ subnet: '10.77.0.0/24' }, { subnet: 'fd77::/64' }] } } },
  });
  await stack.ok(['up', '-d']);
  const found = await stack.ok(['exec', '-T', 'client', ...script('web')]);
  expect(found).toMatch(/^10\.77\.0\.9 /m);
  expect(found).toMatch(/^fd77::9 /m);
  expect(await stack.stack(['exec', '-T', 'web', 'ping', '-c', '1', '-W', '5', 'fd77::1'])).toMatchObject({ code: 0 });
});
