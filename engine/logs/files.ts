/** The files a log consists of: `log`, and what the monitor renamed when it grew full: `log.1` (newer), `log.2`, … */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface LogFile {
  fd: number;
  inode: number;
}

/**
 * Opens every file of the log, oldest first. A rotation in between would show one file twice or not at all, so the
 * set is taken again until it held still.
 * @param directory the container's directory
 */
export function openFiles(directory: string): LogFile[] {
  for (;;) {
    const files: LogFile[] = [];
    for (const name of fileNames(directory)) {
      try {
        const fd = openSync(join(directory, name), 'r');
        files.push({ fd, inode: fstatSync(fd).ino });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    const isDistinct = new Set(files.map((file) => file.inode)).size === files.length;
    if (isDistinct && currentInode(directory) === (files.at(-1)?.inode ?? null)) return files;
    closeFiles(files);
  }
}

export function closeFiles(files: LogFile[]): void {
  for (const file of files) closeSync(file.fd);
}

/** Inode of the newest file; null where there is none yet. While rotating, that is `log.1`. */
export function currentInode(directory: string): number | null {
  for (const name of ['log', 'log.1']) {
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stat) return stat.ino;
  }
  return null;
}

function fileNames(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const age = (name: string) => (name === 'log' ? 0 : Number(name.slice(4)));
  return names.filter((name) => /^log(\.\d+)?$/.test(name)).sort((a, b) => age(b) - age(a));
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

const CHUNK = 64 * 1024;
const NEWLINE = 0x0a;

/**
 * Whole lines of a file from `offset` to its present end, without their newlines, and the offset behind the last of
 * them: bytes that no newline ends yet are left for the next call.
 */
export function* linesFrom(fd: number, offset: number): Generator<Buffer, number> {
  let rest: Buffer = Buffer.alloc(0);
  let position = offset;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const length = readSync(fd, chunk, 0, CHUNK, position + rest.length);
    if (length === 0) return position;
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk.subarray(0, length)]) : chunk.subarray(0, length);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    position += start;
    rest = bytes.subarray(start);
  }
}

/** Whole lines of a file from its end to its beginning, without newlines. Bytes behind the last newline are left out. */
export function* linesBackwards(fd: number): Generator<{ bytes: Buffer; start: number }> {
  let position = fstatSync(fd).size;
  let rest: Buffer = Buffer.alloc(0);
  let isTorn = true;
  while (position > 0) {
    const length = Math.min(CHUNK, position);
    const chunk = Buffer.allocUnsafe(length);
    readSync(fd, chunk, 0, length, position - length);
    position -= length;
    let bytes = rest.length > 0 ? Buffer.concat([chunk, rest]) : chunk;
    for (let end = bytes.lastIndexOf(NEWLINE); end >= 0; end = bytes.lastIndexOf(NEWLINE)) {
      if (!isTorn) yield { bytes: bytes.subarray(end + 1), start: position + end + 1 };
      isTorn = false;
      bytes = bytes.subarray(0, end);
    }
    rest = bytes;
  }
  if (!isTorn) yield { bytes: rest, start: 0 };
}

/** Offset of the first line that satisfies `isReached`, which holds for all lines behind the first: halves the file. */
export function searchLine(fd: number, isReached: (line: Buffer) => boolean): number {
  let low = 0;
  let high = fstatSync(fd).size;
  // Invariant: lines that start before `low` are not reached; the answer is at most `high`, a line's start or the end.
  while (high - low > CHUNK) {
    const middle = low + Math.floor((high - low) / 2);
    const line = lineBehind(fd, middle);
    if (!line || line.offset >= high) break;
    if (isReached(line.bytes)) high = line.offset;
    else low = line.offset + line.bytes.length + 1;
  }
  let offset = low;
  for (const line of linesFrom(fd, low)) {
    if (isReached(line)) return offset;
    offset += line.length + 1;
  }
  return offset;
}

/** The first whole line that starts behind `offset`. */
function lineBehind(fd: number, offset: number): { offset: number; bytes: Buffer } | null {
  let start = offset;
  let isTail = true;
  for (const line of linesFrom(fd, offset)) {
    if (!isTail) return { offset: start, bytes: line };
    isTail = false;
    start += line.length + 1;
  }
  return null;
}
