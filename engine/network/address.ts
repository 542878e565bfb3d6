/** IP addresses and subnets as numbers: reading, writing, arithmetic. Source: RFC 4291, RFC 4632, RFC 5952. */
import { isIPv4, isIPv6 } from 'node:net';

export interface Address {
  family: 4 | 6;
  value: bigint;
}

export interface Subnet {
  address: Address;
  prefix: number;
}

const bits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** Undefined where `text` is no address; zone ids (`%eth0`) are none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) {
    return { family: 4, value: text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n) };
  }
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const embedded = text.slice(text.lastIndexOf(':') + 1);
  let groups = text;
  if (isIPv4(embedded)) {
    const { value } = parseAddress(embedded)!;
    groups = `${text.slice(0, -embedded.length)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = groups.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  const all = [...left, ...Array<string>(missing).fill('0'), ...right];
  return { family: 6, value: all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n) };
}

export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  // The longest run of two or more zero groups, the first of equals (RFC 5952 §4.2).
  let best = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === '0') length++;
    if (length > best.length) best = { at, length };
  }
  if (best.length === 1) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}

/** `10.0.0.0/8`; the host part is kept. Undefined where `text` is no such thing. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match && parseAddress(match[1]!);
  if (!address || Number(match[2]) > bits(address.family)) return undefined;
  return { address, prefix: Number(match[2]) };
}

export const formatSubnet = ({ address, prefix }: Subnet): string => `${formatAddress(address)}/${prefix}`;

/** How many addresses a subnet spans. */
export const size = ({ address, prefix }: Subnet): bigint => 1n << BigInt(bits(address.family) - prefix);

/** The first address: host bits cleared. */
export const network = (subnet: Subnet): Address => ({
  family: subnet.address.family,
  value: subnet.address.value - (subnet.address.value % size(subnet)),
});

/** The last address of the subnet. */
export const broadcast = (subnet: Subnet): Address => offset(network(subnet), size(subnet) - 1n);

export const offset = (address: Address, by: bigint | number): Address => ({
  family: address.family,
  value: address.value + BigInt(by),
});

export function contains(subnet: Subnet, address: Address): boolean {
  if (subnet.address.family !== address.family) return false;
  const first = network(subnet).value;
  return address.value >= first && address.value < first + size(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return contains(one, network(other)) || contains(other, network(one));
}

/** Network byte order: 4 or 16 bytes. */
export function addressBytes({ family, value }: Address): Buffer {
  return Buffer.from(value.toString(16).padStart(bits(family) / 4, '0'), 'hex');
}

export function addressOf(bytes: Uint8Array): Address {
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${Buffer.from(bytes).toString('hex')}`) };
}
