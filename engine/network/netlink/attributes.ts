/**
 * Netlink attributes: length and type in host order, value, padding to four bytes.
 * Source: netlink(7), include/uapi/linux/netlink.h `struct nlattr`.
 */

const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const HEADER = 4;

export const align = (length: number): number => (length + 3) & ~3;

export function attribute(type: number, value: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(align(HEADER + value.length));
  out.writeUInt16LE(HEADER + value.length, 0);
  out.writeUInt16LE(type, 2);
  out.set(value, HEADER);
  out.fill(0, HEADER + value.length);
  return out;
}

/** An attribute made of attributes. */
export function nested(type: number, ...inner: Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(inner));
}

/** Text with the closing NUL that the kernel's string attributes want. */
export const text = (type: number, value: string): Buffer => attribute(type, Buffer.from(`${value}\0`));

export const u8 = (type: number, value: number): Buffer => attribute(type, Buffer.of(value));

export function u16(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return attribute(type, bytes);
}

export function u32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return attribute(type, bytes);
}

/** Big-endian, as every number of nfnetlink is. */
export function be32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return attribute(type, bytes);
}

/** The attributes in `bytes` by type; of repeated ones the last. Stops at the first that does not fit. */
export function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < HEADER || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + HEADER, at + length));
    at += align(length);
  }
  return found;
}

/** Text of a string attribute without its NUL; undefined where the attribute is absent. */
export function readText(value: Buffer | undefined): string | undefined {
  if (!value) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}
