/**
 * Headers of tar entries: ustar, with a pax header before where ustar has no room. One entry has one form, so that the same
 * files always give the same bytes. Source: POSIX.1-2017 pax(1).
 */
import type { EntryType, TarEntry } from './tar.ts';
import { block } from './tar-header.ts';

const flags: Record<EntryType, string> = {
  file: '0',
  link: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** Everything before an entry's content. Names are as the kernel port gives them (schemas/kernel.ts). */
export function entryHeader(entry: TarEntry): Buffer {
  const name = toBytes(entry.name);
  const linkName = toBytes(entry.linkName);
  const seconds = floorSeconds(entry.mtimeNs);
  const records: Buffer[] = [];
  const record = (key: string, value: Buffer | string) => records.push(paxRecord(key, Buffer.from(value)));
  if (!fits(linkName)) record('linkpath', linkName);
  if (entry.mtimeNs !== seconds * 1_000_000_000n || !isOctal(seconds, 12)) record('mtime', decimal(entry.mtimeNs));
  if (!fits(name)) record('path', name);
  if (!isOctal(entry.gid, 8)) record('gid', `${entry.gid}`);
  if (!isOctal(entry.size, 12)) record('size', `${entry.size}`);
  if (!isOctal(entry.uid, 8)) record('uid', `${entry.uid}`);
  for (const key of [...entry.xattrs.keys()].sort()) record(`SCHILY.xattr.${key}`, Buffer.from(entry.xattrs.get(key)!));
  const main = header(flags[entry.type], name, linkName, { ...entry, seconds });
  if (records.length === 0) return main;
  const pax = Buffer.concat(records);
  return Buffer.concat([paxHeader(pax.length), pax, padding(pax.length), main]);
}

/** By size of the records, of which most entries have only their time. */
const paxHeaders = new Map<number, Buffer>();

function paxHeader(size: number): Buffer {
  let bytes = paxHeaders.get(size);
  if (bytes) return bytes;
  // Its name is never made a file's, and the same for all: it would hide nothing and change with everything.
  const fields = { mode: 0o644, uid: 0, gid: 0, size, seconds: 0n, major: 0, minor: 0 };
  bytes = header('x', Buffer.from('PaxHeaders/entry'), Buffer.alloc(0), fields);
  if (size <= block) paxHeaders.set(size, bytes);
  return bytes;
}

/** Zeros up to the next whole block. */
export function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

/** Two empty blocks. */
export const endOfArchive = Buffer.alloc(2 * block);

/** The bytes of a name in which lone surrogates stand for bytes that are no UTF-8. */
export function toBytes(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name);
  return Buffer.concat(
    [...name].map((char) => {
      const unit = char.charCodeAt(0);
      return char.length === 1 && unit >= 0xdc80 && unit <= 0xdcff ? Buffer.from([unit - 0xdc00]) : Buffer.from(char);
    }),
  );
}

type Fields = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'size' | 'major' | 'minor'> & { seconds: bigint };

function header(flag: string, name: Buffer, linkName: Buffer, fields: Fields): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: bigint | number, length: number) => {
    const kept = isOctal(value, length) ? value : 0;
    return `${kept.toString(8).padStart(length - 1, '0')}\0`;
  };
  const { mode, uid, gid, size, seconds, major, minor } = fields;
  // Every call into a buffer costs as much as all of these: one for each run of fields.
  const numbers = [octal(mode, 8), octal(uid, 8), octal(gid, 8), octal(size, 12), octal(seconds, 12)];
  bytes.set(name.subarray(0, 100), 0);
  bytes.write(`${numbers.join('')}        ${flag}`, 100, 'latin1');
  bytes.set(linkName.subarray(0, 100), 157);
  bytes.write('ustar\x0000', 257, 'latin1');
  bytes.write(`${octal(major, 8)}${octal(minor, 8)}`, 329, 'latin1');
  let sum = 0;
  for (let at = 0; at < 345; at++) sum += bytes[at]!;
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Whether a name needs no pax record: short, and ASCII, which all readers read alike. */
function fits(name: Buffer): boolean {
  return name.length <= 100 && name.every((byte) => byte < 0x80);
}

function isOctal(value: bigint | number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function floorSeconds(ns: bigint): bigint {
  const seconds = ns / 1_000_000_000n;
  return ns < 0n && seconds * 1_000_000_000n !== ns ? seconds - 1n : seconds;
}

/** Seconds with as many digits as are needed. */
function decimal(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = (size % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction && `.${fraction}`}`;
}

function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = body.length;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}
