/** Fields of tar headers and of pax records. Source: POSIX.1-2017 pax(1); tar(5) for GNU's base-256 numbers. */
import { isUtf8 } from 'node:buffer';
import { StackError } from '../../schemas/errors.ts';

/** Bytes of a header, and what contents are padded to. */
export const block = 512;

export function malformed(what: string): StackError {
  return new StackError('image.archive', { message: `The tar archive is malformed: ${what}.` });
}

/** The sum of all header bytes with the sum's own field as spaces. Some old writers summed signed bytes. */
export function checkSum(header: Buffer): void {
  const stored = readNumber(header, 148, 8);
  if (stored !== sum(header, 0) && stored !== sum(header, 0x80)) {
    throw malformed('an entry header has a wrong checksum');
  }
}

/** `sign`: 0x80 to take bytes as signed. */
function sum(header: Buffer, sign: number): number {
  let total = 8 * 32;
  for (let i = 0; i < block; i++) if (i < 148 || i >= 156) total += (header[i]! ^ sign) - sign;
  return total;
}

/** Octal text, or GNU's base-256 where the first bit is set. Numbers above 2^53 are refused. */
export function readNumber(header: Buffer, at: number, length: number): number {
  if (header[at]! & 0x80) {
    const isNegative = (header[at]! & 0x40) !== 0;
    let value = BigInt(header[at]! & 0x7f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(header[at + i]!);
    if (isNegative) value -= 1n << BigInt(length * 8 - 1);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw malformed('a number is out of range');
    return number;
  }
  const text = header.toString('latin1', at, at + length).replace(/^[ \0]+|[ \0].*$/gs, '');
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw malformed(`"${text}" is not an octal number`);
  return Number.parseInt(text, 8);
}

export function readString(bytes: Buffer, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  const field = bytes.subarray(at, end < 0 || end > at + length ? at + length : end);
  return isUtf8(field) ? field.toString('utf8') : escaped(field);
}

/** Bytes that are no UTF-8 as lone surrogates: the form in which the kernel port takes them (schemas/kernel). */
function escaped(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((count) => at + count <= bytes.length && isUtf8(bytes.subarray(at, at + count)));
    text += length ? bytes.toString('utf8', at, at + length) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += length ?? 1;
  }
  return text;
}

/** `<length> <key>=<value>\n` records, the length counting the whole record. */
export function readPax(content: Buffer, into: Map<string, Buffer>): void {
  let at = 0;
  while (at < content.length) {
    if (content[at] === 0) return;
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(content.toString('latin1', at, space));
    const end = at + length;
    const equals = content.indexOf(0x3d, space);
    if (!(end <= content.length) || equals < 0 || equals >= end || content[end - 1] !== 0x0a || end <= space) {
      throw malformed('a pax record has a wrong length');
    }
    const key = content.toString('utf8', space + 1, equals);
    const value = content.subarray(equals + 1, end - 1);
    // Sparse format 0.0 repeats two keys for each piece: what 0.1 has as one list.
    const list = key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes' ? 'GNU.sparse.map' : undefined;
    const before = list && into.get(list);
    into.set(list ?? key, before ? Buffer.concat([before, Buffer.from(','), value]) : value);
    at = end;
  }
}

/** Decimal seconds, maybe negative, with up to nanoseconds. */
export function readTime(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const match = /^(-?)([0-9]{1,11})(?:\.([0-9]*))?$/.exec(text);
  if (!match) throw malformed(`"${text}" is not a time`);
  const sign = match[1] ? -1n : 1n;
  return toTime(sign * BigInt(match[2]!), sign * BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0')));
}

const latest = 2n ** 63n - 1n;

/** Nanoseconds; times beyond what 64 bits hold, the years 1677 to 2262, become the last that they do. */
export function toTime(seconds: bigint, nanoseconds = 0n): bigint {
  const time = seconds * 1_000_000_000n + nanoseconds;
  return time > latest ? latest : time < -latest ? -latest : time;
}
