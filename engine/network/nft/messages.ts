/**
 * Tables, chains, sets and rules of nftables as netlink messages, and the batch that makes them one transaction.
 * Source: include/uapi/linux/netfilter/nf_tables.h and nfnetlink.h.
 */
import { attribute, be32, nested, readAttributes, readText, text } from '../netlink/attributes.ts';
import { type Answer, flag, type Request } from '../netlink/message.ts';
import { value } from './expressions.ts';

const SUBSYSTEM = 10;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const LIST_ELEMENT = 1;
const message = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  newSet: 9,
  newElements: 12,
};

export interface Table {
  /** NFPROTO_* */
  family: number;
  name: string;
}

/** struct nfgenmsg */
const header = (family: number, resource = 0): Buffer => Buffer.of(family, 0, resource >> 8, resource & 255);

function request(table: Table, type: number, flags: number, about: string, ...attributes: Buffer[]): Request {
  return {
    type: (SUBSYSTEM << 8) | type,
    flags,
    body: Buffer.concat([header(table.family), ...attributes]),
    about: `${about} of the table ${table.name}`,
  };
}

/** All of `requests` or none. */
export function transaction(requests: Request[]): Request[] {
  const edge = (type: number): Request => ({
    type,
    flags: 0,
    body: header(0, SUBSYSTEM),
    about: 'commit nftables rules',
  });
  return [edge(BATCH_BEGIN), ...requests, edge(BATCH_END)];
}

export const addTable = (table: Table): Request =>
  request(table, message.newTable, flag.create, 'create the rules', text(1, table.name), be32(2, 0));

export const deleteTable = (table: Table): Request =>
  request(table, message.deleteTable, 0, 'remove the rules', text(1, table.name));

/** A transaction that leaves the table absent, whether or not it was there. */
export const withoutTable = (table: Table): Request[] => [addTable(table), deleteTable(table)];

export const hook = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 };

export interface Chain {
  name: string;
  type: 'filter' | 'nat';
  hook: number;
  /** Chains of a hook run from low to high: raw -300, dstnat -100, filter 0, srcnat 100. */
  priority: number;
  policy?: 'accept' | 'drop';
}

export const addChain = (table: Table, chain: Chain): Request =>
  request(
    table,
    message.newChain,
    flag.create,
    `create the chain ${chain.name}`,
    text(1, table.name),
    text(3, chain.name),
    nested(4, be32(1, chain.hook), be32(2, chain.priority)),
    be32(5, chain.policy === 'drop' ? 0 : 1),
    text(7, chain.type),
  );

export const addRule = (table: Table, chain: string, ...expressions: Buffer[]): Request =>
  request(
    table,
    message.newRule,
    flag.create | flag.append,
    `add a rule to the chain ${chain}`,
    text(1, table.name),
    text(2, chain),
    nested(4, ...expressions),
  );

/** Types of nft(8): number and length; in a concatenation each takes a multiple of four bytes. */
export const type = {
  ipv4: { id: 7, length: 4 },
  ipv6: { id: 8, length: 16 },
  protocol: { id: 12, length: 4 },
  port: { id: 13, length: 4 },
  interface: { id: 41, length: 16 },
};
type FieldType = (typeof type)[keyof typeof type];

export interface NamedSet {
  name: string;
  key: FieldType[];
  /** Present for a map. */
  data?: FieldType[];
  /** Elements are subnets: first address, and the one after the last with `isEnd`. */
  isInterval?: boolean;
}

const flags = { interval: 4, map: 8 };
const typeNumber = (fields: FieldType[]): number => fields.reduce((number, field) => (number << 6) | field.id, 0);
const keyLength = (fields: FieldType[]): number => fields.reduce((length, field) => length + field.length, 0);

/** User data for nft(8) alone, which prints names of interfaces as nothing where it does not know their byte order. */
const HOST_ORDER_KEY = Buffer.of(0, 4, 1, 0, 0, 0);

/** `id` tells the sets of one transaction apart. */
export const addSet = (table: Table, set: NamedSet, id: number): Request =>
  request(
    table,
    message.newSet,
    flag.create,
    `create the set ${set.name}`,
    text(1, table.name),
    text(2, set.name),
    be32(3, (set.isInterval ? flags.interval : 0) | (set.data ? flags.map : 0)),
    be32(4, typeNumber(set.key)),
    be32(5, keyLength(set.key)),
    ...(set.data ? [be32(6, typeNumber(set.data)), be32(7, keyLength(set.data))] : []),
    be32(10, id),
    ...(set.key.length === 1 && set.key[0] === type.interface ? [attribute(13, HOST_ORDER_KEY)] : []),
  );

export interface Element {
  key: Uint8Array;
  data?: Uint8Array;
  isEnd?: boolean;
}

/** An attribute holds 64 KiB at most. */
const ELEMENTS_PER_MESSAGE = 500;

export function addElements(table: Table, set: string, elements: Element[]): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_MESSAGE) {
    const part = elements.slice(at, at + ELEMENTS_PER_MESSAGE).map(({ key, data, isEnd }) =>
      nested(
        LIST_ELEMENT,
        value(1, key),
        ...(data ? [value(2, data)] : []),
        // NFT_SET_ELEM_INTERVAL_END
        ...(isEnd ? [be32(3, 1)] : []),
      ),
    );
    requests.push(
      request(
        table,
        message.newElements,
        flag.create,
        `fill the set ${set}`,
        text(1, table.name),
        text(2, set),
        nested(3, ...part),
      ),
    );
  }
  return requests;
}

/** Field of a concatenation: network order, padded with zeros behind to a multiple of four bytes. */
export function field(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc((bytes.length + 3) & ~3);
  out.set(bytes);
  return out;
}

export const interfaceKey = (name: string): Buffer => Buffer.concat([Buffer.from(name)], type.interface.length);

export function getTables(): Request {
  return {
    ...request({ family: 0, name: '' }, message.getTable, flag.dump, 'list the tables'),
    about: 'list the tables',
  };
}

export function readTable({ body }: Answer): Table {
  return { family: body.readUInt8(0), name: readText(readAttributes(body.subarray(4)).get(1)) ?? '' };
}

export function getChains(): Request {
  return {
    ...request({ family: 0, name: '' }, message.getChain, flag.dump, 'list the chains'),
    about: 'list the chains',
  };
}

/** `hook` and `policy` of a chain that hangs at no hook are undefined. */
export function readChain({ body }: Answer) {
  const families: Record<number, string> = { 1: 'inet', 2: 'ip', 5: 'netdev', 7: 'bridge', 10: 'ip6' };
  const attributes = readAttributes(body.subarray(4));
  const at = attributes.get(4);
  const policy = attributes.get(5)?.readUInt32BE(0);
  return {
    family: families[body.readUInt8(0)] ?? String(body.readUInt8(0)),
    table: readText(attributes.get(1)) ?? '',
    name: readText(attributes.get(3)) ?? '',
    hook: at ? readAttributes(at).get(1)?.readUInt32BE(0) : undefined,
    policy: policy === undefined ? undefined : policy === 0 ? ('drop' as const) : ('accept' as const),
  };
}
