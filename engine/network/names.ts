/**
 * The table of names of a network: <run>/networks/<name>.names, which the resolvers of its containers have mapped. The
 * format is native/shim/resolver.h's: a header, one live byte for each slot, and two buffers written in turn, of which
 * the generation tells the current one. Updates are in place; the live bytes belong to the shims.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { addressBytes, parseAddress } from '../../planner/network/address.ts';
import type { ContainerRecord } from '../../schemas/container.ts';

const MAGIC = 'STKNAMES';
const VERSION = 1;
const GENERATION = 16;
const LIVE = 4096;
const SLOTS = 65536;
const BUFFERS = LIVE + SLOTS;
/** Of each buffer: room for some 40,000 names. The file is sparse. */
const BUFFER_SIZE = 4 << 20;

const recordType = { A: 1, AAAA: 28, PTR: 12 };

export type Named = Pick<ContainerRecord, 'name' | 'endpoints'>;

interface NameRecord {
  type: number;
  slot: number;
  /** Address bytes, or the name a PTR record points to. */
  data: Buffer | string;
}

/**
 * What the network's containers are called: container name and aliases (service, short id, …), each also with
 * `.<network>` behind, and the way back from address to `<container>.<network>`.
 */
export function nameRecords(networkName: string, containers: Named[]): Map<string, NameRecord[]> {
  const names = new Map<string, NameRecord[]>();
  const add = (name: string, record: NameRecord) => {
    const key = name.toLowerCase();
    const known = names.get(key);
    if (known) known.push(record);
    else names.set(key, [record]);
  };
  for (const { name, endpoints } of containers) {
    for (const { networkName: joined, slot, aliases, ipv4, ipv6 } of endpoints) {
      if (joined !== networkName) continue;
      for (const text of [ipv4?.address, ipv6?.address]) {
        if (!text) continue;
        const address = parseAddress(text)!;
        const type = address.family === 4 ? recordType.A : recordType.AAAA;
        for (const called of new Set([name, ...aliases])) {
          add(called, { type, slot, data: addressBytes(address) });
          add(`${called}.${networkName}`, { type, slot, data: addressBytes(address) });
        }
        add(reverseName(text), { type: recordType.PTR, slot, data: `${name}.${networkName}`.toLowerCase() });
      }
    }
  }
  return names;
}

/** `2.0.18.172.in-addr.arpa`, `….ip6.arpa` (RFC 1035 §3.5, RFC 3596 §2.5). */
export function reverseName(text: string): string {
  const address = parseAddress(text)!;
  const bytes = addressBytes(address);
  if (address.family === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`;
  return `${[...bytes.toString('hex')].reverse().join('.')}.ip6.arpa`;
}

/** One buffer of the table. Throws RangeError where it would be larger than `limit` bytes. */
export function encodeNames(names: Map<string, NameRecord[]>, limit = BUFFER_SIZE): Buffer {
  const sorted = [...names].map(([name, records]) => ({ name: Buffer.from(name), records }));
  sorted.sort((a, b) => Buffer.compare(a.name, b.name));
  const text: Buffer[] = [];
  const offsets = new Map<string, number>();
  let textLength = 0;
  const place = (bytes: Buffer): number => {
    const key = bytes.toString('latin1');
    const known = offsets.get(key);
    if (known !== undefined) return known;
    const at = textLength;
    offsets.set(key, at);
    text.push(bytes);
    textLength += bytes.length;
    return at;
  };
  const recordCount = sorted.reduce((count, { records }) => count + records.length, 0);
  const keys = Buffer.alloc(16 * sorted.length);
  const rows = Buffer.alloc(24 * recordCount);
  let row = 0;
  for (const [index, { name, records }] of sorted.entries()) {
    const at = index * 16;
    keys.writeUInt32LE(place(name), at);
    keys.writeUInt16LE(name.length, at + 4);
    keys.writeUInt32LE(row, at + 8);
    keys.writeUInt32LE(records.length, at + 12);
    for (const record of records) writeRecord(rows, 24 * row++, record, place);
  }
  const header = Buffer.alloc(16);
  header.writeUInt32LE(sorted.length, 0);
  header.writeUInt32LE(recordCount, 4);
  header.writeUInt32LE(textLength, 8);
  const buffer = Buffer.concat([header, keys, rows, ...text]);
  if (buffer.length > limit) throw new RangeError(`table of names: ${buffer.length} bytes of at most ${limit}`);
  return buffer;
}

function writeRecord(rows: Buffer, at: number, { type, slot, data }: NameRecord, place: (b: Buffer) => number): void {
  rows.writeUInt16LE(type, at);
  rows.writeUInt16LE(slot, at + 2);
  if (typeof data === 'string') {
    const bytes = Buffer.from(data);
    rows.writeUInt16LE(bytes.length, at + 6);
    rows.writeUInt32LE(place(bytes), at + 8);
  } else {
    data.copy(rows, at + 8);
  }
}

/** Publishes the names of `containers` on a network. One writer at a time: the caller sees to it. */
export function writeNames(file: string, networkName: string, containers: Named[]): void {
  const buffer = encodeNames(nameRecords(networkName, containers));
  const fd = openTable(file);
  try {
    const generation = Buffer.alloc(8);
    readSync(fd, generation, 0, 8, GENERATION);
    const next = generation.readBigUInt64LE() + 1n;
    writeSync(fd, buffer, 0, buffer.length, BUFFERS + Number(next % 2n) * BUFFER_SIZE);
    generation.writeBigUInt64LE(next);
    writeSync(fd, generation, 0, 8, GENERATION);
  } finally {
    closeSync(fd);
  }
}

/** A slot that is handed on starts out as not running, whatever its last user left. */
export function clearLive(file: string, slot: number): void {
  let fd: number;
  try {
    fd = openSync(file, 'r+');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw thrown;
  }
  try {
    writeSync(fd, Buffer.of(0), 0, 1, LIVE + slot);
  } finally {
    closeSync(fd);
  }
}

/** The table opened for writing; an empty one is made where there is none. */
function openTable(file: string): number {
  try {
    return openSync(file, 'r+');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const temporary = `${file}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w+', 0o644);
  const header = Buffer.alloc(24);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(BUFFER_SIZE, 12);
  writeSync(fd, header, 0, header.length, 0);
  ftruncateSync(fd, BUFFERS + 2 * BUFFER_SIZE);
  renameSync(temporary, file);
  return fd;
}
