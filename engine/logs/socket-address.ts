/** Addresses as connect(2) takes them. Source: unix(7), ip(7), ipv6(7). */
import { isIPv6 } from 'node:net';
import { StackError } from '../../schemas/errors.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** sun_path with its NUL. */
const longestPath = 108;

function family(number: number, size: number): Buffer {
  const out = Buffer.alloc(size);
  out.writeUInt16LE(number, 0);
  return out;
}

/** @throws config.value for a path no socket can have. */
export function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(`${path}\0`);
  if (bytes.length <= longestPath) return Buffer.concat([family(AF_UNIX, 2), bytes]);
  throw new StackError('config.value', {
    message: `${path} is longer than the path of a socket can be`,
    hint: `It has at most ${longestPath - 1} bytes.`,
  });
}

/** @param address IPv4 or IPv6, in figures. */
export function inetAddress(address: string, port: number): Buffer {
  const isNew = isIPv6(address);
  const out = isNew ? family(AF_INET6, 28) : family(AF_INET, 16);
  out.writeUInt16BE(port, 2);
  if (isNew) out.set(groups(address), 8);
  else out.set(address.split('.').map(Number), 4);
  return out;
}

function groups(address: string): number[] {
  // The URL parser writes IPv4 at the end as figures too.
  const text = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  const [left = '', right] = text.split('::');
  const parts = (half: string) => (half === '' ? [] : half.split(':').map((one) => Number.parseInt(one, 16)));
  const [head, tail] = [parts(left), parts(right ?? '')];
  const zeroes = right === undefined ? [] : new Array<number>(8 - head.length - tail.length).fill(0);
  return [...head, ...zeroes, ...tail].flatMap((one) => [one >> 8, one & 0xff]);
}
