import { expect, test } from 'vitest';
import { encode } from '../netlink/message.ts';
import {
  byte,
  compare,
  ct,
  ctKey,
  destinationType,
  dnat,
  lookup,
  mask,
  masquerade,
  meta,
  metaKey,
  nfproto,
  payload,
  register,
  verdict,
  writeTransport,
} from './expressions.ts';
import { addChain, addElements, addSet, addTable, field, transaction, type, withoutTable } from './messages.ts';

const hex = (body: Uint8Array): string => Buffer.from(body).toString('hex');
const lines = (...all: string[]): string => all.join('').replace(/\s/g, '');
const table = { family: nfproto.inet, name: 't' };
const named = '01000000 0600 0100 74000000';

test('a transaction lies between two messages for the subsystem', () => {
  expect(hex(encode(transaction([addTable(table)])))).toBe(
    lines(
      '14000000 1000 0100 01000000 00000000 0000 000a', // NFNL_MSG_BATCH_BEGIN
      '24000000 000a 0104 02000000 00000000',
      named,
      '0800 0200 00000000', // NFTA_TABLE_FLAGS
      '14000000 1100 0100 03000000 00000000 0000 000a', // NFNL_MSG_BATCH_END
    ),
  );
  expect(withoutTable(table).map((request) => request.type)).toEqual([0xa00, 0xa02]);
});

test('a base chain', () => {
  const { body } = addChain(table, { name: 'c', type: 'nat', hook: 0, priority: -100 });
  expect(hex(body)).toBe(
    lines(
      named,
      '0600 0300 63000000', // NFTA_CHAIN_NAME
      '1400 0480 0800 0100 00000000 0800 0200 ffffff9c', // NFTA_CHAIN_HOOK: number, priority
      '0800 0500 00000001', // NFTA_CHAIN_POLICY
      '0800 0700 6e617400', // NFTA_CHAIN_TYPE
    ),
  );
});

test('a map of concatenations and an element', () => {
  const map = { name: 'm', key: [type.protocol, type.port], data: [type.ipv4, type.port] };
  expect(hex(addSet(table, map, 1).body)).toBe(
    lines(
      named,
      '0600 0200 6d000000', // NFTA_SET_NAME
      '0800 0300 00000008', // NFTA_SET_FLAGS: map
      '0800 0400 0000030d 0800 0500 00000008', // NFTA_SET_KEY_TYPE inet_proto . inet_service, KEY_LEN
      '0800 0600 000001cd 0800 0700 00000008', // NFTA_SET_DATA_TYPE ipv4_addr . inet_service, DATA_LEN
      '0800 0a00 00000001', // NFTA_SET_ID
    ),
  );
  const element = {
    key: Buffer.concat([field(Buffer.of(6)), field(Buffer.of(0, 80))]),
    data: Buffer.concat([Buffer.of(172, 18, 0, 2), field(Buffer.of(0x1f, 0x90))]),
  };
  expect(hex(addElements(table, 'm', [element])[0]!.body)).toBe(
    lines(
      named,
      '0600 0200 6d000000', // NFTA_SET_ELEM_LIST_SET
      '2800 0380 2400 0180', // NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM
      '1000 0180 0c00 0100 06000000 00500000', // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
      '1000 0280 0c00 0100 ac120002 1f900000', // NFTA_SET_ELEM_DATA, NFTA_DATA_VALUE
    ),
  );
});

test('elements beyond one attribute’s room go in further messages', () => {
  const elements = Array.from({ length: 1201 }, (_, i) => ({ key: Buffer.of(0, 0, i >> 8, i & 255) }));
  expect(addElements(table, 's', elements)).toHaveLength(3);
  expect(addElements(table, 's', [])).toEqual([]);
});

test.each([
  [
    'meta',
    meta(metaKey.l4proto, register(0)),
    '2400 0180 0900 0100 6d65746100 000000 1400 0280 0800 0100 00000008 0800 0200 00000010',
  ],
  [
    'payload',
    payload(1, 16, 4, register(0)),
    '3400 0180 0c00 0100 7061796c6f616400 2400 0280 0800 0100 00000008 0800 0200 00000001 0800 0300 00000010 0800 0400 00000004',
  ],
  [
    'payload, written',
    writeTransport(2, 2, register(0), 6),
    `4400 0180 0c00 0100 7061796c6f616400 3400 0280 0800 0200 00000002 0800 0300 00000002 0800 0400 00000002
     0800 0500 00000008 0800 0600 00000001 0800 0700 00000006`,
  ],
  [
    'cmp',
    compare(register(0), byte(17)),
    '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000008 0800 0200 00000000 0c00 0380 0500 0100 11000000',
  ],
  [
    'bitwise',
    mask(register(0), Buffer.of(6, 0, 0, 0)),
    `4400 0180 0c00 0100 6269747769736500 3400 0280 0800 0100 00000008 0800 0200 00000008 0800 0300 00000004
     0c00 0480 0800 0100 06000000 0c00 0580 0800 0100 00000000`,
  ],
  [
    'lookup',
    lookup('m', register(0), { to: register(1) }),
    '2c00 0180 0b00 0100 6c6f6f6b757000 00 1c00 0280 0600 0100 6d000000 0800 0200 00000008 0800 0300 00000009',
  ],
  [
    'lookup, inverted',
    lookup('m', register(0), { isNot: true }),
    '2c00 0180 0b00 0100 6c6f6f6b757000 00 1c00 0280 0600 0100 6d000000 0800 0200 00000008 0800 0500 00000001',
  ],
  [
    'ct',
    ct(ctKey.status, register(0)),
    '2000 0180 0700 0100 637400 00 1400 0280 0800 0100 00000008 0800 0200 00000002',
  ],
  [
    'fib daddr type',
    destinationType(register(0)),
    '2800 0180 0800 0100 66696200 1c00 0280 0800 0100 00000008 0800 0200 00000003 0800 0300 00000002',
  ],
  [
    'nat',
    dnat(nfproto.ip, register(0), register(1)),
    '3000 0180 0800 0100 6e617400 2400 0280 0800 0100 00000001 0800 0200 00000002 0800 0300 00000008 0800 0500 00000009',
  ],
  ['masq', masquerade(), '1400 0180 0900 0100 6d61737100 000000 0400 0280'],
  [
    'verdict',
    verdict('drop'),
    '3000 0180 0e00 0100 696d6d65646961746500 0000 1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000000',
  ],
])('expression %s', (_, expression, expected) => {
  expect(hex(expression)).toBe(lines(expected));
});
