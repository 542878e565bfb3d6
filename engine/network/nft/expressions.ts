/**
 * Expressions, the instructions of nftables rules: they load packet fields into registers, compare, and end in a verdict.
 * Source: include/uapi/linux/netfilter/nf_tables.h, nft(8).
 */
import { attribute, be32, nested, text } from '../netlink/attributes.ts';

/** Registers of four bytes; a value of n bytes takes the next n/4. Number 0 is the verdict. */
export const register = (index: number): number => 8 + index;

const LIST_ELEMENT = 1;
const DATA = { VALUE: 1, VERDICT: 2 };

const expression = (name: string, ...attributes: Buffer[]): Buffer =>
  nested(LIST_ELEMENT, text(1, name), nested(2, ...attributes));

export const value = (type: number, bytes: Uint8Array): Buffer => nested(type, attribute(DATA.VALUE, bytes));

export const metaKey = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 };

export const meta = (key: number, to: number): Buffer => expression('meta', be32(1, to), be32(2, key));

export const base = { network: 1, transport: 2 };

/** `length` bytes from `offset` of a header. */
export const payload = (header: number, offset: number, length: number, to: number): Buffer =>
  expression('payload', be32(1, to), be32(2, header), be32(3, offset), be32(4, length));

/** Writes a field of the transport header and mends the checksum, which lies at `checksum`. */
export const writeTransport = (offset: number, length: number, from: number, checksum: number): Buffer =>
  expression(
    'payload',
    be32(2, base.transport),
    be32(3, offset),
    be32(4, length),
    be32(5, from),
    // NFT_PAYLOAD_CSUM_INET
    be32(6, 1),
    be32(7, checksum),
  );

export const immediate = (to: number, bytes: Uint8Array): Buffer =>
  expression('immediate', be32(1, to), value(2, bytes));

/** Continues where the register equals `bytes` (with `isNot`: differs). */
export const compare = (from: number, bytes: Uint8Array, isNot = false): Buffer =>
  expression('cmp', be32(1, from), be32(2, isNot ? 1 : 0), value(3, bytes));

/** Register AND `mask`, in place. */
export const mask = (at: number, bytes: Uint8Array): Buffer =>
  expression(
    'bitwise',
    be32(1, at),
    be32(2, at),
    be32(3, bytes.length),
    value(4, bytes),
    value(5, Buffer.alloc(bytes.length)),
  );

/** Continues where the key is in the set, or with `isNot` where it is not. Of a map, the data goes to `to`. */
export const lookup = (set: string, from: number, { to, isNot }: { to?: number; isNot?: boolean } = {}): Buffer =>
  expression(
    'lookup',
    text(1, set),
    be32(2, from),
    ...(to === undefined ? [] : [be32(3, to)]),
    ...(isNot ? [be32(5, 1)] : []),
  );

export const ctKey = { state: 0, status: 2 };

/** A field of the packet's connection, in host order. */
export const ct = (key: number, to: number): Buffer => expression('ct', be32(1, to), be32(2, key));

/** The kind of route (RTN_*) that the destination address has, in host order. */
export const destinationType = (to: number): Buffer => expression('fib', be32(1, to), be32(2, 3), be32(3, 2));

export const nfproto = { inet: 1, ip: 2, ip6: 10 };

/** Destination address and port from registers. */
export const dnat = (family: number, address: number, port: number): Buffer =>
  expression('nat', be32(1, 1), be32(2, family), be32(3, address), be32(5, port));

export const masquerade = (): Buffer => expression('masq');

const verdicts = { drop: 0, accept: 1, return: -5 };

export const verdict = (name: keyof typeof verdicts): Buffer =>
  expression('immediate', be32(1, 0), nested(2, nested(DATA.VERDICT, be32(1, verdicts[name]))));

/** A one-byte register value. */
export const byte = (number: number): Buffer => Buffer.of(number);
