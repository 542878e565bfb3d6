import { expect, test } from 'vitest';
import type { Endpoint, NetworkRecord, PublishedPort } from '../../schemas/container.ts';
import { publications } from './publications.ts';
import { ruleRequests } from './rules.ts';

const record = (key: string, isInternal = false): NetworkRecord => ({
  key,
  name: `demo_${key}`,
  stack: 'demo',
  driver: 'bridge',
  bridge: `st-${key}`,
  isInternal,
  ipv4: { subnet: '10.0.0.0/24', gateway: '10.0.0.1' },
  labels: {},
  config: { name: `demo_${key}`, ipam: {} },
});

const endpoint = (key: string, fields: Partial<Endpoint> = {}): Endpoint => ({
  network: key,
  networkName: `demo_${key}`,
  interface: 'eth0',
  hostInterface: 'st0',
  bridge: `st-${key}`,
  mac: '02:42:0a:00:00:02',
  ipv4: { address: '10.0.0.2', prefix: 24 },
  aliases: [],
  slot: 0,
  isDefaultRoute: false,
  ...fields,
});

const tcp = (hostPort: number, hostAddress = '0.0.0.0'): PublishedPort => ({
  protocol: 'tcp',
  hostAddress,
  hostPort,
  containerPort: 80,
});

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const NEW_RULE = 0xa06;

test('ports become elements: of one address, or of all', () => {
  const containers = [{ endpoints: [endpoint('a')], ports: [tcp(8080), tcp(8081, '127.0.0.1'), tcp(8082, '::')] }];
  const { bound, any } = publications({ networks: [record('a')], containers }, 'ipv4');
  expect(any.map(({ key, data }) => [hex(key), hex(data)])).toEqual([['060000001f900000', '0a00000200500000']]);
  expect(bound.map(({ key }) => hex(key))).toEqual(['7f000001060000001f910000']);
  expect(publications({ networks: [record('a')], containers }, 'ipv6').any).toEqual([]);
});

test('the target is the address of the default route, never one of an internal network', () => {
  const second = { address: '10.0.0.9', prefix: 24 };
  const networks = [record('a'), record('b'), record('closed', true)];
  const target = (...endpoints: Endpoint[]) =>
    publications({ networks, containers: [{ endpoints, ports: [tcp(1)] }] }, 'ipv4').any.map(({ data }) => hex(data));
  expect(target(endpoint('a'), endpoint('b', { ipv4: second, isDefaultRoute: true }))).toEqual(['0a00000900500000']);
  expect(target(endpoint('closed'), endpoint('b', { ipv4: second }))).toEqual(['0a00000900500000']);
  expect(target(endpoint('closed'))).toEqual([]);
});

test('IPv6 is published to an IPv6 address', () => {
  const six = endpoint('a', { ipv6: { address: 'fd00::2', prefix: 64 } });
  const { any } = publications(
    { networks: [record('a')], containers: [{ endpoints: [six], ports: [tcp(80, '::')] }] },
    'ipv6',
  );
  expect(any.map(({ key, data }) => [hex(key), hex(data)])).toEqual([
    ['0600000000500000', 'fd00000000000000000000000000000200500000'],
  ]);
});

test('the number of rules does not grow with containers, ports or networks', () => {
  const count = (networks: NetworkRecord[], copies: number) =>
    ruleRequests({
      stack: 'demo',
      networks,
      containers: Array.from({ length: copies }, (_, i) => ({
        id: `${i}`,
        endpoints: [endpoint('a')],
        ports: [tcp(1 + i)],
      })),
    }).filter(({ type }) => type === NEW_RULE).length;
  expect(count([record('a'), record('b'), record('c', true)], 100)).toBe(count([record('a')], 1));
});

test('a stack without networks of its own keeps rules only for what it publishes', () => {
  const foreign = { ...record('a'), stack: 'other' };
  const containers = (ports: PublishedPort[]) => [{ id: '1', endpoints: [endpoint('a')], ports }];
  const rules = (ports: PublishedPort[]) =>
    ruleRequests({ stack: 'demo', networks: [foreign], containers: containers(ports) }).length;
  expect(rules([])).toBe(2);
  expect(rules([tcp(80)])).toBeGreaterThan(20);
  expect(ruleRequests({ stack: 'demo', networks: [], containers: [] }).length).toBe(2);
});

const withOption = (key: string, option: string, value: string): NetworkRecord => ({
  ...record(key),
  config: { name: `demo_${key}`, ipam: {}, driver_opts: { [`com.docker.network.bridge.${option}`]: value } },
});
const count = (networks: NetworkRecord[], ports: PublishedPort[] = []) =>
  ruleRequests({ stack: 'demo', networks, containers: [{ id: '1', endpoints: [endpoint('a')], ports }] });
const fills = (name: string, networks: NetworkRecord[], ports: PublishedPort[] = []) =>
  count(networks, ports).filter(({ about }) => about.startsWith(`fill the set ${name} `)).length;

test('a network that is not masqueraded, or routed, leaves under its own addresses', () => {
  expect(fills('subnets4', [record('a')])).toBe(1);
  expect(fills('subnets4', [withOption('a', 'enable_ip_masquerade', 'false')])).toBe(0);
  expect(fills('subnets4', [withOption('a', 'gateway_mode_ipv4', 'routed')])).toBe(0);
});

test('what passes within a network passes not where containers are kept apart', () => {
  expect(fills('same', [record('a')])).toBe(1);
  expect(fills('same', [withOption('a', 'enable_icc', 'false')])).toBe(0);
});

test('gateway modes open what they say', () => {
  const rules = (networks: NetworkRecord[], ports: PublishedPort[] = []) =>
    count(networks, ports).filter(({ type }) => type === NEW_RULE).length;
  const plain = rules([record('a')]);
  const unprotected = [withOption('a', 'gateway_mode_ipv4', 'nat-unprotected')];
  expect([fills('unprotected4', unprotected), rules(unprotected)]).toEqual([1, plain + 1]);
  const routed = [withOption('a', 'gateway_mode_ipv4', 'routed')];
  expect([fills('pinged4', routed), fills('routed4', routed), rules(routed)]).toEqual([1, 0, plain + 1]);
  expect([fills('routed4', routed, [tcp(0)]), fills('any4', routed, [tcp(0)])]).toEqual([1, 0]);
});
