import { expect, test } from 'vitest';
import { overlaps, parseSubnet } from '../../planner/network/address.ts';
import type { Network } from '../../schemas/project.ts';
import { chooseSubnets, defaultPools, type Taken } from './subnets.ts';

const config = (fields: Partial<Network> = {}): Network => ({ name: 'demo_default', ipam: {}, ...fields });
const taken = (...subnets: string[]): Taken[] =>
  subnets.map((text) => ({ subnet: parseSubnet(text)!, by: `the route ${text}` }));
const choose = (fields: Partial<Network> = {}, ...subnets: string[]) =>
  chooseSubnets(config(fields), defaultPools, taken(...subnets));
const pool = (...config: NonNullable<Network['ipam']['config']>) => ({ ipam: { config } });

test('the first free subnet of the pools', () => {
  expect(choose()).toEqual({ ipv4: { subnet: '172.18.0.0/16', gateway: '172.18.0.1' } });
  expect(choose({}, '172.18.3.0/24', '172.19.0.1/32').ipv4?.subnet).toBe('172.20.0.0/16');
  expect(choose({}, '172.16.0.0/12').ipv4?.subnet).toBe('192.168.0.0/20');
  expect(choose({}, '172.16.0.0/12', '192.168.0.0/17').ipv4?.subnet).toBe('192.168.128.0/20');
});

test('nothing left says how many are in use', () => {
  expect(() => choose({}, '0.0.0.0/1', '128.0.0.0/1')).toThrow(
    expect.objectContaining({ code: 'network.address-exhausted', message: expect.stringContaining('2 in use') }),
  );
});

test('IPv6 is a unique local subnet that follows from the name', () => {
  const { ipv6 } = choose({ enable_ipv6: true });
  expect(ipv6?.subnet).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
  expect(choose({ enable_ipv6: true }, '172.18.0.0/16').ipv6).toEqual(ipv6);
  expect(choose({ enable_ipv6: true }, ipv6!.subnet).ipv6?.subnet).not.toBe(ipv6?.subnet);
  expect(choose({ enable_ipv6: true, enable_ipv4: false }).ipv4).toBeUndefined();
});

test('what ipam.config asks for', () => {
  expect(choose(pool({ subnet: '10.5.0.0/24', gateway: '10.5.0.254' }, { subnet: 'fd00:5::/64' }))).toEqual({
    ipv4: { subnet: '10.5.0.0/24', gateway: '10.5.0.254' },
    ipv6: { subnet: 'fd00:5::/64', gateway: 'fd00:5::1' },
  });
});

test.each([
  ['network.overlap', 'overlaps 10.0.0.0/8 of the route 10.0.0.0/8', pool({ subnet: '10.5.0.0/24' })],
  ['network.address', 'not a subnet', pool({ subnet: '11.5.0.0' })],
  ['network.address', 'gateway 11.6.0.1 is not in', pool({ subnet: '11.5.0.0/24', gateway: '11.6.0.1' })],
  ['network.address', 'ip_range 11.5.0.0/16 is not inside', pool({ subnet: '11.5.0.0/24', ip_range: '11.5.0.0/16' })],
  ['network.address', 'aux_addresses.nas', pool({ subnet: '11.5.0.0/24', aux_addresses: { nas: '11.6.0.9' } })],
  ['network.address', 'neither IPv4 nor IPv6', { enable_ipv4: false }],
  ['network.address', 'no room', pool({ subnet: '11.5.0.0/31' })],
  ['config.not-supported', 'several IPv4 subnets', pool({ subnet: '11.5.0.0/24' }, { subnet: '11.6.0.0/24' })],
])('%s: %s', (code, message, fields) => {
  expect(() => choose(fields, '10.0.0.0/8')).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});

test('a thousand networks fit, none overlaps another, and the time for one does not grow with their square', () => {
  const all: Taken[] = taken('172.16.0.0/14', '192.168.1.0/24', '10.128.3.0/24', '10.200.0.0/16');
  const times: number[] = [];
  for (let count = 0; count < 1000; count++) {
    const started = performance.now();
    const { ipv4 } = chooseSubnets(config({ name: `n${count}` }), defaultPools, all);
    times.push(performance.now() - started);
    all.push({ subnet: parseSubnet(ipv4!.subnet)!, by: `n${count}` });
  }
  const sorted = all.map(({ subnet }) => subnet).sort((a, b) => (a.address.value < b.address.value ? -1 : 1));
  for (const [index, subnet] of sorted.slice(1).entries()) expect(overlaps(sorted[index]!, subnet)).toBe(false);
  const last = times.slice(-100).sort((a, b) => a - b)[50]!;
  expect(last).toBeLessThan(20);
});
