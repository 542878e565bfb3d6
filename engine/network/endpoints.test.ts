import { expect, test } from 'vitest';
import { parseAddress } from '../../planner/network/address.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import type { Service } from '../../schemas/project.ts';
import { type EndpointRequest, makeEndpoints, useOf } from './endpoints.ts';
import { addressKey } from './leases.ts';

const id = 'a1b2c3d4e5f6'.padEnd(64, '0');

function record(key: string, fields: Partial<NetworkRecord> = {}): NetworkRecord {
  const name = `demo_${key}`;
  return {
    key,
    name,
    stack: 'demo',
    driver: 'bridge',
    bridge: `st-${key}`,
    isInternal: false,
    ipv4: { subnet: '10.0.0.0/29', gateway: '10.0.0.1' },
    labels: {},
    config: { name, ipam: {} },
    ...fields,
  };
}

function make(
  networks: Service['networks'],
  records: NetworkRecord[],
  used: Record<string, string> = {},
  more: Partial<EndpointRequest> = {},
) {
  const config: Service = { command: null, entrypoint: null, networks: networks! };
  const map = new Map(records.map((one) => [one.key, one]));
  const request = {
    stack: 'demo',
    id,
    name: 'demo-web-1',
    service: 'web',
    isOneOff: false,
    config,
    networks: map,
    ...more,
  };
  const addresses = new Map(Object.entries(used).map(([text, holder]) => [addressKey(parseAddress(text)!), holder]));
  return makeEndpoints(request, () => ({ addresses, slots: new Set([0]) }));
}

test('an endpoint', () => {
  expect(make({ default: { aliases: ['www', 'web'] } }, [record('default')])).toEqual([
    {
      network: 'default',
      networkName: 'demo_default',
      interface: 'eth0',
      hostInterface: 'sta1b2c3d4e50',
      bridge: 'st-default',
      mac: '02:42:0a:00:00:02',
      ipv4: { address: '10.0.0.2', prefix: 29, gateway: '10.0.0.1' },
      aliases: ['web', 'www', 'a1b2c3d4e5f6'],
      slot: 1,
      isDefaultRoute: true,
    },
  ]);
});

test('interfaces go by priority, then name; the default route by gw_priority among networks that lead out', () => {
  const records = [record('a', { isInternal: true }), record('b'), record('c'), record('d')];
  const endpoints = make({ d: null, c: { gw_priority: 1 }, b: null, a: { priority: -1, gw_priority: 9 } }, records);
  expect(endpoints.map((one) => `${one.interface} ${one.network} ${one.isDefaultRoute}`)).toEqual([
    'eth0 b false',
    'eth1 c true',
    'eth2 d false',
    'eth3 a false',
  ]);
  expect(endpoints[3]!.ipv4).toEqual({ address: '10.0.0.2', prefix: 29 });
});

test('the lowest address that is not gateway, auxiliary, or someone else’s', () => {
  const config = { name: 'n', ipam: { config: [{ subnet: '10.0.0.0/29', aux_addresses: { nas: '10.0.0.3' } }] } };
  const all = { '10.0.0.2': 'other', '10.0.0.4': id };
  expect(make({ n: null }, [record('n', { config })], all)[0]!.ipv4?.address).toBe('10.0.0.4');
});

test('ip_range bounds the choice, not what is asked for', () => {
  const config = { name: 'n', ipam: { config: [{ subnet: '10.0.0.0/29', ip_range: '10.0.0.6/31' }] } };
  expect(make({ n: null }, [record('n', { config })])[0]!.ipv4?.address).toBe('10.0.0.6');
  expect(() => make({ n: null }, [record('n', { config })], { '10.0.0.6': 'other' })).toThrow(
    expect.objectContaining({ code: 'network.address-exhausted' }),
  );
  expect(make({ n: { ipv4_address: '10.0.0.2' } }, [record('n', { config })])[0]!.ipv4?.address).toBe('10.0.0.2');
});

test.each([
  ['10.0.0.9', 'not in 10.0.0.0/29'],
  ['10.0.0.1', 'gateway'],
  ['10.0.0.7', 'address of the network itself'],
  ['10.0.0.5', 'container other has it'],
  ['nonsense', 'not in 10.0.0.0/29'],
])('the static address %s is refused: %s', (ipv4_address, message) => {
  expect(() => make({ n: { ipv4_address } }, [record('n')], { '10.0.0.5': 'other' })).toThrow(
    expect.objectContaining({ code: 'network.address', message: expect.stringContaining(message) }),
  );
});

test('a network that does not exist', () => {
  expect(() => make({ n: null }, [])).toThrow(expect.objectContaining({ code: 'network.not-found' }));
});

test('what containers use of a network', () => {
  const [endpoint] = make({ n: null }, [record('n')]);
  const use = useOf('demo_n', [{ id, endpoints: [endpoint!] }]);
  expect([...use.addresses]).toEqual([[0x0a000002n, id]]);
  expect([...use.slots]).toEqual([1]);
  expect(useOf('demo_other', [{ id, endpoints: [endpoint!] }]).slots.size).toBe(0);
});

test('an address that another service asks for is left to it', () => {
  const service = (ipv4_address?: string): Service => ({
    command: null,
    entrypoint: null,
    networks: { n: ipv4_address ? { ipv4_address } : null },
  });
  const project = { services: { db: service('10.0.0.2'), web: service(), cache: service('10.0.0.3') } };
  expect(make({ n: null }, [record('n')], {}, { project })[0]!.ipv4?.address).toBe('10.0.0.4');
});

test('a container that replaces another keeps its address where it can', () => {
  const [former] = make({ n: null }, [record('n')], { '10.0.0.2': 'x', '10.0.0.3': 'x' });
  const replaces = { id: 'old', endpoints: [former!] };
  expect(make({ n: null }, [record('n')], {}, { replaces })[0]!.ipv4?.address).toBe('10.0.0.4');
  expect(make({ n: null }, [record('n')], { '10.0.0.4': 'x' }, { replaces })[0]!.ipv4?.address).toBe('10.0.0.2');
  const moved = record('n', { ipv4: { subnet: '10.9.0.0/29', gateway: '10.9.0.1' } });
  expect(make({ n: null }, [moved], {}, { replaces })[0]!.ipv4?.address).toBe('10.9.0.2');
});

test('a MAC address as asked for', () => {
  const mac = (mac_address: string) => make({ n: { mac_address } }, [record('n')])[0]!.mac;
  expect(mac('02-42-AC-11-65-43')).toBe('02:42:ac:11:65:43');
  for (const wrong of ['02:42:ac:11:65', '03:42:ac:11:65:43', 'zz:42:ac:11:65:43']) {
    expect(() => mac(wrong)).toThrow(expect.objectContaining({ code: 'network.address' }));
  }
});

test('interfaces that are not named get the first name that is free', () => {
  const records = ['a', 'b', 'c', 'd'].map((key) => record(key));
  const named = { a: null, b: { interface_name: 'eth0' }, c: null, d: { interface_name: 'lan' } };
  expect(make(named, records).map((one) => one.interface)).toEqual(['eth1', 'eth0', 'eth2', 'lan']);
});

test('link-local addresses come with the subnet they are on', () => {
  const [endpoint] = make({ n: { link_local_ips: ['169.254.8.8', 'fe80::8'] } }, [record('n')]);
  expect(endpoint!.linkLocal).toEqual([
    { address: '169.254.8.8', prefix: 16 },
    { address: 'fe80::8', prefix: 64 },
  ]);
});

test('nothing passes between containers of a network without enable_icc', () => {
  const driver_opts = { 'com.docker.network.bridge.enable_icc': 'false' };
  const apart = record('n', { config: { name: 'demo_n', ipam: {}, driver_opts } });
  expect(make({ n: null }, [apart])[0]!.isIsolated).toBe(true);
});
