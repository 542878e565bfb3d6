import { expect, test } from 'vitest';
import { parseAddress } from '../../../planner/network/address.ts';
import { addAddress, readAddress } from './address.ts';
import { forgetUdp } from './conntrack.ts';
import { addBridge, addOnParent, addVeth, readLink, removeLinks, setLink, setPort, withoutLinkLocal } from './link.ts';
import { addDefaultRoute, addLoopbackRoute, readRoute } from './route.ts';

/** Bytes as hex without blanks, and lines as they stand in the kernel's headers. */
const hex = (body: Uint8Array): string => Buffer.from(body).toString('hex');
const lines = (...all: string[]): string => all.join('').replace(/\s/g, '');
const ifinfo = '00000000 00000000 00000000 00000000';
const up = '00000000 00000000 01000000 01000000';

test('a bridge', () => {
  const request = addBridge({ name: 'st-0a', mac: '02:42:ac:12:00:01', group: 7, mtu: 1400 });
  expect(request).toMatchObject({ type: 16, flags: 0x600, tolerate: ['EEXIST'] });
  expect(hex(request.body)).toBe(
    lines(
      ifinfo,
      '0a00 0300 73742d306100 0000', // IFLA_IFNAME
      '0a00 0100 0242ac120001 0000', // IFLA_ADDRESS
      '0800 1b00 07000000', // IFLA_GROUP
      '0800 0400 78050000', // IFLA_MTU
      '1000 1280', // IFLA_LINKINFO
      '0b00 0100 62726964676500 00', // IFLA_INFO_KIND
    ),
  );
});

test('a veth pair whose other end is born in a namespace', () => {
  const peer = { name: 'eth0', mac: '02:42:ac:12:00:02', namespace: 9 };
  expect(hex(addVeth({ name: 'st1', master: 4, group: 7, peer }).body)).toBe(
    lines(
      ifinfo,
      '0800 0300 73743100', // IFLA_IFNAME
      '0800 0a00 04000000', // IFLA_MASTER
      '0800 1b00 07000000', // IFLA_GROUP
      '4800 1280', // IFLA_LINKINFO
      '0900 0100 7665746800 000000', // IFLA_INFO_KIND
      '3800 0280', // IFLA_INFO_DATA
      '3400 0100', // VETH_INFO_PEER
      ifinfo,
      '0900 0300 6574683000 000000', // IFLA_IFNAME
      '0a00 0100 0242ac120002 0000', // IFLA_ADDRESS
      '0800 1c00 09000000', // IFLA_NET_NS_FD
    ),
  );
});

test('changes of a link', () => {
  expect(hex(setLink('st1', { alias: 'stack:demo:1' }).body)).toBe(
    lines(
      ifinfo,
      '0800 0300 73743100', // IFLA_IFNAME
      '1000 1400 737461636b3a64656d6f3a31', // IFLA_IFALIAS, without NUL
    ),
  );
  expect(hex(withoutLinkLocal('st1').body)).toBe(
    lines(
      ifinfo,
      '0800 0300 73743100', // IFLA_IFNAME
      '1000 1a80 0c00 0a80 0500 0800 01000000', // IFLA_AF_SPEC, AF_INET6, IFLA_INET6_ADDR_GEN_MODE none
    ),
  );
  expect(hex(setLink('lo', { isUp: true }).body)).toBe(lines(up, '0700 0300 6c6f00 00'));
  expect(hex(setPort('st1', { hairpin: true }).body)).toBe(
    lines(
      ifinfo,
      '0800 0300 73743100',
      '1c00 1280 0b00 0400 62726964676500 00', // IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND
      '0c00 0580 0500 0400 01000000', // IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_MODE
    ),
  );
});

test('many links are removed as a group, one by its name', () => {
  const [one, ...none] = removeLinks(['st1'], 7);
  expect(none).toEqual([]);
  expect([one!.type, hex(one!.body)]).toEqual([17, lines(ifinfo, '0800 0300 73743100')]);
  const many = removeLinks(['st1', 'st2'], 7);
  expect(many.map(({ type }) => type)).toEqual([19, 19, 17]);
  expect(many.every(({ tolerate }) => tolerate?.includes('ENODEV'))).toBe(true);
  expect(hex(many[2]!.body)).toBe(lines(ifinfo, '0800 1b00 07000000'));
});

test('addresses: IPv4 with its broadcast, IPv6 without duplicate detection', () => {
  expect(hex(addAddress(2, parseAddress('172.18.0.2')!, 16, 'eth0').body)).toBe(
    lines('02 10 00 00 02000000', '0800 0200 ac120002', '0800 0100 ac120002', '0800 0400 ac12ffff'),
  );
  const v6 = 'fd000000000000000000000000000002';
  expect(hex(addAddress(2, parseAddress('fd00::2')!, 64, 'eth0').body)).toBe(
    lines('0a 40 00 00 02000000', `1400 0200 ${v6}`, `1400 0100 ${v6}`, '0800 0800 02000000'),
  );
});

test('the default route', () => {
  expect(hex(addDefaultRoute(2, parseAddress('172.18.0.1')!).body)).toBe(
    lines('02 00 00 00 fe 03 00 01 00000000', '0800 0500 ac120001', '0800 0400 02000000'),
  );
});

test('the way in for answers to ::1', () => {
  expect(hex(addLoopbackRoute(2).body)).toBe(
    lines(
      '0a 80 00 00 ff 03 00 02 00000000', // RT_TABLE_LOCAL, RTN_LOCAL
      '1400 0100 00000000000000000000000000000001', // RTA_DST
      '0800 0400 02000000 0800 0600 00080000', // RTA_OIF, RTA_PRIORITY
    ),
  );
});

test('answers are read back', () => {
  const answer = (body: string) => ({ index: 0, type: 0, body: Buffer.from(lines(body), 'hex') });
  expect(
    readLink(
      answer(`00000000 05000000 01000000 00000000
              0800 0300 73743100 0800 0a00 04000000 1000 1400 737461636b3a64656d6f3a31
              1000 1280 0b00 0100 62726964676500 00`),
    ),
  ).toMatchObject({ index: 5, name: 'st1', isUp: true, master: 4, alias: 'stack:demo:1', kind: 'bridge', peer: 5 });
  expect(readAddress(answer('02 10 80 00 02000000 0800 0100 ac120002'))).toEqual({
    index: 2,
    subnet: { address: parseAddress('172.18.0.2'), prefix: 16 },
  });
  expect(readRoute(answer('02 10 00 00 fe 02 fd 01 00000000 0800 0100 ac120000 0800 0400 02000000'))).toEqual({
    index: 2,
    subnet: { address: parseAddress('172.18.0.0'), prefix: 16 },
  });
  expect(readRoute(answer('02 00 00 00 fe 02 fd 01 00000000 0800 0500 ac120001'))).toBeUndefined();
});

test('UDP connections to a port are forgotten by a filter, which old kernels refuse', () => {
  const { type, body, tolerate } = forgetUdp('ipv4', 8053);
  expect(type).toBe(0x102);
  expect(tolerate).toContain('EINVAL');
  expect(hex(body)).toBe(
    lines(
      '02 01 0000',
      '1800 0180', // CTA_TUPLE_ORIG
      '1400 0280', // CTA_TUPLE_PROTO
      '0500 0100 11000000 0600 0300 1f750000', // CTA_PROTO_NUM, CTA_PROTO_DST_PORT
      '0c00 1980 0800 0100 28000000', // CTA_FILTER, CTA_FILTER_ORIG_FLAGS
    ),
  );
});

test('links on an interface of the host', () => {
  const common = { name: 'eth0', parent: 2, mode: 4, flags: 1, mac: '02:42:0a:00:00:02', namespace: 9 };
  const data = (driver: 'macvlan' | 'ipvlan') => hex(addOnParent({ ...common, driver }).body);
  // IFLA_INFO_DATA: IFLA_MACVLAN_MODE as u32; IFLA_IPVLAN_MODE and IFLA_IPVLAN_FLAGS as u16.
  expect(data('macvlan')).toContain('0c000280 08000100 04000000'.replaceAll(' ', ''));
  expect(data('ipvlan')).toContain('14000280 06000100 04000000 06000200 01000000'.replaceAll(' ', ''));
  const mac = '0a000100 02420a000002'.replaceAll(' ', '');
  expect([data('macvlan').includes(mac), data('ipvlan').includes(mac)]).toEqual([true, false]);
});
