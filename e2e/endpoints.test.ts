/** What services ask for on their networks, seen from inside containers. */
import { expect, test } from 'vitest';
import type { Project } from './harness/harness.ts';
import { expectError, idle, scenario } from './harness/scenario.ts';

const world = scenario();
const sleeper = { image: 'debian:bookworm-slim', init: true, command: ['sleep', '1000000'] };

/** The address that a name has for a service; empty where it has none. */
const resolve = async (stack: Project, from: string, name: string) =>
  /^\S*/.exec((await stack.stack(['exec', '-T', from, 'getent', 'ahostsv4', name])).stdout)![0];
const inside = (stack: Project, service: string, ...command: string[]) => stack.ok(['exec', '-T', service, ...command]);

test('a link is a name that one service alone has for another', async () => {
  const stack = world.project('linked', {
    services: {
      client: { ...sleeper, links: ['db:database', 'db:DB.Internal'] },
      other: sleeper,
      db: idle,
    },
  });
  await stack.ok(['up', '-d']);
  const db = await resolve(stack, 'client', 'db');
  expect(db).toMatch(/^172\./);
  expect(await resolve(stack, 'client', 'database')).toBe(db);
  expect(await resolve(stack, 'client', 'db.internal')).toBe(db);
  expect(await resolve(stack, 'other', 'database')).toBe('');
  await stack.ok(['up', '-d', '--force-recreate', 'db']);
  expect(await resolve(stack, 'client', 'database')).toBe(await resolve(stack, 'other', 'db'));
});

test('a container of another stack is linked over a network that both are on', async () => {
  const owner = world.project('owner', { services: { db: idle }, networks: { default: { name: 'shared' } } });
  const client = (link: string) => ({
    services: { client: { ...sleeper, external_links: [link] } },
    networks: { default: { name: 'shared', external: true } },
  });
  const stack = world.project('guest', client('nobody:db'));
  await owner.ok(['up', '-d']);
  expectError(await stack.stack(['up', '-d']), 1, /there is no container nobody/);
  stack.define(client('owner-db-1:primary'));
  await stack.ok(['up', '-d']);
  expect(await resolve(stack, 'client', 'primary')).toBe(await resolve(stack, 'client', 'owner-db-1'));
  expect(await resolve(stack, 'client', 'primary')).not.toBe('');
  await stack.ok(['down', '-t', '0']);
});

test('interfaces have the names, MAC and link-local addresses that are asked for', async () => {
  const stack = world.project('interfaces', {
    services: {
      web: {
        ...idle,
        hostname: 'server',
        domainname: 'example.test',
        networks: {
          front: {
            interface_name: 'lan',
            mac_address: '02:42:ac:11:65:43',
            link_local_ips: ['169.254.8.8'],
            priority: 2,
          },
          back: { gw_priority: 1 },
        },
      },
      plain: { ...idle, mac_address: '02:42:ac:11:65:44', networks: ['front'] },
    },
    networks: { front: {}, back: { ipam: { config: [{ subnet: '10.79.0.0/24', gateway: '10.79.0.7' }] } } },
  });
  await stack.ok(['up', '-d']);
  const lan = await inside(stack, 'web', 'ip', 'addr', 'show', 'dev', 'lan');
  expect(lan).toContain('02:42:ac:11:65:43');
  expect(lan).toContain('inet 169.254.8.8/16');
  expect(await inside(stack, 'web', 'ip', 'route')).toMatch(/^default via 10\.79\.0\.7 dev eth0/m);
  expect(await inside(stack, 'plain', 'cat', '/sys/class/net/eth0/address')).toBe('02:42:ac:11:65:44\n');
  expect(await inside(stack, 'web', 'hostname', '-f')).toBe('server.example.test\n');
});

test('a network without IPv4', async () => {
  const stack = world.project('six', {
    services: { client: sleeper, web: idle },
    networks: { default: { enable_ipv4: false, enable_ipv6: true } },
  });
  await stack.ok(['up', '-d']);
  expect(await inside(stack, 'web', 'ip', '-4', '-o', 'addr', 'show', 'dev', 'eth0')).toBe('');
  const found = await inside(stack, 'client', 'getent', 'ahostsv6', 'web');
  expect(found).toMatch(/^fd[0-9a-f:]+ /);
  const address = /^\S+/.exec(found)![0];
  expect(await inside(stack, 'web', 'ping', '-6', '-c', '1', '-W', '5', address)).toContain(' 0% packet loss');
  expect(await inside(stack, 'web', 'wget', '-q', '-O', '-', 'http://[2001:db8::2]/x')).toBe('2001:db8::1 GET /x\n');
});

test('a container lives in the network of another stack’s', async () => {
  const owner = world.project('home', { services: { web: { ...idle, hostname: 'home' } } });
  const file = (mode: string) => ({ services: { client: { ...sleeper, network_mode: mode } } });
  const stack = world.project('lodger', file('container:home-web-1'));
  expectError(await stack.stack(['up', '-d']), 1, /shares the network of container home-web-1, which has no container/);
  await owner.ok(['up', '-d']);
  await stack.ok(['up', '-d']);
  const own = await inside(owner, 'web', 'cat', '/proc/net/fib_trie');
  expect(await inside(stack, 'client', 'cat', '/proc/net/fib_trie')).toBe(own);
  expect(await inside(stack, 'client', 'cat', '/etc/hostname')).toBe('home\n');
  expect(await resolve(stack, 'client', 'web')).not.toBe('');
  await stack.ok(['restart', '-t', '0']);
  expect(await inside(stack, 'client', 'cat', '/proc/net/fib_trie')).toBe(own);
  await stack.ok(['down', '-t', '0']);
});

test('without a network there is a loopback alone, and the host has all of its own', async () => {
  const stack = world.project('modes', {
    services: { none: { ...idle, network_mode: 'none' }, host: { ...idle, network_mode: 'host' } },
  });
  await stack.ok(['up', '-d']);
  const links = async (service: string) => (await inside(stack, service, 'ls', '/sys/class/net')).trim().split(/\s+/);
  expect(await links('none')).toEqual(['lo']);
  expect(await inside(stack, 'none', 'ip', 'route')).toBe('');
  expect((await inside(stack, 'host', 'cat', '/proc/net/fib_trie')).includes('192.0.2.1')).toBe(true);
});
