/** IP addresses and subnets as numbers: reading, writing, arithmetic. Source: RFC 4291, RFC 4632, RFC 5952. */
export interface Address {
  family: 4 | 6;
  value: bigint;
}

export interface Subnet {
  address: Address;
  prefix: number;
}

const bits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/**
 * Undefined where `text` is no address; zone ids (`%eth0`) are none. By hand: the regular expression behind
 * `net.isIPv6` takes milliseconds to compile, in every command.
 */
export function parseAddress(text: string): Address | undefined {
  const family = text.includes(':') ? 6 : 4;
  const value = family === 4 ? parseDotted(text) : parseGroups(text);
  return value === undefined ? undefined : { family, value };
}

function parseDotted(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    // No leading zeros: some read them as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return BigInt(value);
}

function parseGroups(text: string): bigint | undefined {
  const [head = '', tail, ...more] = text.split('::');
  const left = readGroups(head, tail === undefined);
  const right = tail === undefined ? [] : readGroups(tail, true);
  if (more.length > 0 || !left || !right) return undefined;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...Array<number>(missing).fill(0), ...right];
  return all.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** 16-bit groups of one side of `::`; the last may be an IPv4 address where `isEnd`. */
function readGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (isEnd && index === parts.length - 1 && part.includes('.')) {
      const embedded = parseDotted(part);
      if (embedded === undefined) return undefined;
      groups.push(Number(embedded >> 16n), Number(embedded & 0xffffn));
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
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
