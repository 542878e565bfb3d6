import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addressBytes,
  addressOf,
  broadcast,
  contains,
  formatAddress,
  formatSubnet,
  network,
  overlaps,
  parseAddress,
  parseSubnet,
} from './address.ts';

test.each([
  ['172.18.0.2', '172.18.0.2'],
  ['0.0.0.0', '0.0.0.0'],
  ['::', '::'],
  ['::1', '::1'],
  ['FD00:0:0:1::2', 'fd00:0:0:1::2'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
])('%s is written %s', (text, written) => {
  expect(formatAddress(parseAddress(text)!)).toBe(written);
});

test.each([
  '',
  '1.2.3',
  '256.1.1.1',
  '01.2.3.4',
  'fe80::1%eth0',
  'host',
  '1:2:3',
  '::1::',
  '1.2.3.4::',
  '1:2:3:4:5:6:7::8:9',
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test('reading undoes writing', () => {
  const address = fc.oneof(
    fc.bigInt(0n, (1n << 32n) - 1n).map((value) => ({ family: 4 as const, value })),
    fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ({ family: 6 as const, value })),
  );
  fc.assert(
    fc.property(address, (one) => {
      expect(parseAddress(formatAddress(one))).toEqual(one);
      expect(addressOf(addressBytes(one))).toEqual(one);
    }),
  );
});

test('subnets', () => {
  const subnet = parseSubnet('172.18.5.6/16')!;
  expect(formatAddress(network(subnet))).toBe('172.18.0.0');
  expect(formatAddress(broadcast(subnet))).toBe('172.18.255.255');
  expect(formatSubnet(subnet)).toBe('172.18.5.6/16');
  expect(contains(subnet, parseAddress('172.18.255.255')!)).toBe(true);
  expect(contains(subnet, parseAddress('172.19.0.0')!)).toBe(false);
  expect(overlaps(subnet, parseSubnet('172.16.0.0/12')!)).toBe(true);
  expect(overlaps(subnet, parseSubnet('172.19.0.0/16')!)).toBe(false);
  expect(overlaps(subnet, parseSubnet('::/0')!)).toBe(false);
  for (const text of ['172.18.0.0', '172.18.0.0/33', '172.18.0.0/x', 'x/8']) expect(parseSubnet(text)).toBeUndefined();
});

test('agrees with node:net on what is an address', () => {
  const piece = fc.constantFrom('0', '1', 'f', 'ffff', '12345', '255', '256', '01', 'g', '::', ':', '.', '1.2.3.4', '');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 17 }), (pieces) => {
      const text = pieces.join('');
      expect([text, parseAddress(text)?.family ?? 0]).toEqual([text, isIP(text)]);
    }),
    { numRuns: 3000 },
  );
});
