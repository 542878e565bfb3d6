/** Containers that stand on an interface of the host: macvlan, and ipvlan where the kernel has it. */
import { expect, test } from 'vitest';
import { expectError, idle, scenario, shell } from './harness/scenario.ts';

const world = scenario();

/** The host's interface towards the world outside. */
const uplink = async () => /dev (\S+)/.exec(await world.host.read('ip route get 192.0.2.2'))![1]!;
const lan = (driver: string, parent: string, more: object = {}) => ({
  driver,
  driver_opts: { parent },
  ipam: { config: [{ subnet: '192.0.2.0/24', gateway: '192.0.2.2', ip_range: '192.0.2.64/28' }] },
  ...more,
});
const web = (more: object = {}) =>
  shell('mkdir -p /www && echo web > /www/index.html && exec httpd -f -p 80 -h /www', { init: true, ...more });

test('a container of a macvlan network is a neighbour of the host’s neighbours', async () => {
  const parent = await uplink();
  const stack = world.project('lan', {
    services: {
      web: web({
        ports: ['8080:80'],
        networks: { lan: { ipv4_address: '192.0.2.66', mac_address: '02:42:ac:11:65:99' } },
      }),
      client: { ...idle, networks: ['lan', 'inner'] },
    },
    networks: { lan: lan('macvlan', parent), inner: {} },
  });
  await stack.ok(['up', '-d']);
  expect(await world.host.answered('http://192.0.2.66/', { from: 'outside' })).toBe('web\n');
  expect(await world.host.read('ip neigh show 192.0.2.66', { from: 'outside' })).toContain('02:42:ac:11:65:99');
  const get = (url: string) => stack.ok(['exec', '-T', 'client', 'wget', '-q', '-O', '-', url]);
  expect(await get('http://web/')).toBe('web\n');
  expect(await stack.ok(['exec', '-T', 'client', 'ip', '-4', '-o', 'addr', 'show'])).toMatch(/192\.0\.2\.64\/24/);
  // Its ports are open at its own address; the host has none of them.
  expect(await world.host.request('http://127.0.0.1:8080/', { timeoutMs: 1000 })).toHaveProperty('error');
  expect(await stack.ok(['ps'])).toMatch(/ 80\/tcp/);
  expect((await stack.stack(['plan'])).code).toBe(0);
  await stack.ok(['restart', '-t', '0', 'web']);
  expect(await world.host.answered('http://192.0.2.66/', { from: 'outside' })).toBe('web\n');
});

test('an interface that is not there, and a driver that the kernel has not, are told before anything is made', async () => {
  const file = (driver: string, parent: string) => ({
    services: { web: web({ networks: ['lan'] }) },
    networks: { lan: lan(driver, parent) },
  });
  const stack = world.project('nowhere', file('macvlan', 'eth99'));
  expectError(await stack.stack(['up', '-d']), 1, /cannot stand on eth99: the host has no such interface/);
  const parent = await uplink();
  const hasIpvlan = await world.host.sh(`ip link add trial link ${parent} type ipvlan && ip link del trial`);
  stack.define(file('ipvlan', parent));
  const up = await stack.stack(['up', '-d']);
  if (hasIpvlan.code === 0) {
    expect(up.code).toBe(0);
    expect(await world.host.answered('http://192.0.2.64/', { from: 'outside' })).toBe('web\n');
  } else expectError(up, 1, /this kernel has no ipvlan/, /Load the module ipvlan/);
});
