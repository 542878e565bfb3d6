/** An image archive as named pieces of content: a tar file, a compressed tar or stream spooled to disk, or a directory. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import { checkExpansion, damaged, decompressor, magicLength } from './compression.ts';
import { asStoreError } from './disk-full.ts';
import { interruption } from './locks.ts';
import type { Store } from './store.ts';
import { type TarEntry, TarReader } from './tar.ts';

export interface Archive extends Disposable {
  has(name: string): boolean;
  /** Bytes of a piece. @throws StackError `image.archive` where it is missing */
  size(name: string): number;
  /** A small document whole. @throws StackError `image.archive`, `image.limit` */
  read(name: string): Buffer;
  stream(name: string): AsyncGenerator<Uint8Array>;
}

/** Bytes of a descriptor's range: `start` within the file, `size` long. */
interface Piece {
  fd: Fd;
  start: number;
  size: number;
}

const chunkSize = 256 * 1024;
const documentLimit = 16 * 1024 * 1024;
const RESOLVE_BENEATH_NO_MAGICLINKS = 0x08 | 0x02;

/** `source`: a path, or bytes. @throws StackError `image.archive`, `image.truncated`, `image.hostile-archive`, `image.limit` */
export async function openArchive(store: Store, source: string | Readable, signal: AbortSignal): Promise<Archive> {
  if (typeof source !== 'string') return tarArchive(await spool(store, source, signal));
  let fd: Fd;
  try {
    fd = fs.openSync(source, fs.constants.O_RDONLY);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new StackError('image.archive', {
      message: `Archive ${source} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}.`,
      errno: code,
      cause: thrown,
    });
  }
  const stat = fs.fstatSync(fd);
  if (stat.isDirectory()) return directoryArchive(store, fd);
  // Pipes and the like cannot be read from the middle: they are spooled as what is compressed.
  if (stat.isFile() && !isCompressed(fd)) return tarArchive(fd);
  return tarArchive(await spool(store, fs.createReadStream('', { fd, highWaterMark: chunkSize }), signal));
}

function isCompressed(fd: Fd): boolean {
  const start = Buffer.alloc(magicLength);
  fs.readSync(fd, start, 0, magicLength, 0);
  try {
    const decoder = decompressor(start);
    decoder?.destroy();
    return decoder !== null;
  } catch (thrown) {
    fs.closeSync(fd);
    throw thrown;
  }
}

/** Plain bytes of a stream in a file without a name, which goes with its descriptor. */
async function spool(store: Store, source: Readable, signal: AbortSignal): Promise<Fd> {
  const path = join(store.root, 'ingest', randomBytes(12).toString('hex'));
  const fd = fs.openSync(path, 'wx+', 0o600);
  // A sweep of another command may have been faster.
  fs.rmSync(path, { force: true });
  let compressed = 0;
  let plain = 0;
  const write = (chunk: Uint8Array) => {
    plain += chunk.length;
    checkExpansion(compressed, plain);
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(fd, chunk, at);
  };
  try {
    let start: Buffer | undefined = Buffer.alloc(0);
    let decoder: ReturnType<typeof decompressor> = null;
    let drained: Promise<void> | undefined;
    for await (const part of source) {
      if (signal.aborted) throw interruption('Loading');
      let chunk = Buffer.from(part);
      compressed += chunk.length;
      if (start) {
        chunk = Buffer.concat([start, chunk]);
        start = chunk.length < magicLength ? chunk : undefined;
        if (start) continue;
        decoder = decompressor(chunk);
        if (decoder) drained = drain(decoder, write);
      }
      if (decoder) {
        const into = decoder;
        await Promise.race([new Promise<void>((resolve) => into.write(chunk, () => resolve())), drained]);
      } else write(chunk);
    }
    if (start) write(start);
    decoder?.end();
    await drained;
    return fd;
  } catch (thrown) {
    fs.closeSync(fd);
    source.destroy();
    throw thrown instanceof StackError ? thrown : asStoreError(thrown, 'reading the archive');
  }
}

async function drain(decoder: NonNullable<ReturnType<typeof decompressor>>, write: (chunk: Uint8Array) => void) {
  try {
    for await (const chunk of decoder) write(chunk as Buffer);
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException;
    // What the file system says of a write is no damage of the archive.
    throw thrown instanceof StackError || error.syscall ? thrown : damaged(error);
  }
}

/** Takes `fd` over. */
function tarArchive(fd: Fd): Archive {
  const pieces = new Map<string, Piece>();
  const links = new Map<string, string>();
  try {
    scan(fd, (entry, start) => {
      const name = inside(entry.name, []);
      if (entry.type === 'file') pieces.set(name, { fd, start, size: entry.size });
      // Old `docker save` links a layer that two images share.
      else if (entry.type === 'symlink') links.set(name, inside(entry.linkName, name.split('/').slice(0, -1)));
      else if (entry.type === 'link') links.set(name, inside(entry.linkName, []));
    });
  } catch (thrown) {
    fs.closeSync(fd);
    throw thrown;
  }
  const find = (name: string) => {
    let at = name;
    for (let hops = 0; hops < 8 && !pieces.has(at) && links.has(at); hops++) at = links.get(at)!;
    return pieces.get(at);
  };
  return archiveOf(find, () => fs.closeSync(fd));
}

/** Reads headers only: contents are stepped over. */
function scan(fd: Fd, onEntry: (entry: TarEntry, start: number) => void): void {
  const total = fs.fstatSync(fd).size;
  let position = 0;
  let header: TarEntry | undefined;
  const reader = new TarReader({
    entry: (entry) => {
      header = entry;
    },
    data: () => {},
    hole: () => {},
    end: () => {},
  });
  const block = Buffer.alloc(512);
  while (position < total) {
    const length = fs.readSync(fd, block, 0, block.length, position);
    position += length;
    reader.push(block.subarray(0, length));
    if (!header) continue;
    onEntry(header, position);
    header = undefined;
    const next = position + reader.skippable;
    if (next > total) {
      throw new StackError('image.truncated', { message: `The archive ends after ${total} bytes, inside an entry.` });
    }
    reader.skip();
    position = next;
  }
  reader.finish();
}

/** Names are walked by the kernel below the directory. Takes `fd` over. */
function directoryArchive(store: Store, fd: Fd): Archive {
  const open = new Map<string, Piece | undefined>();
  const find = (name: string) => {
    if (open.has(name)) return open.get(name);
    let piece: Piece | undefined;
    try {
      const file = store.verbs.openat2(fd, name, {
        // A pipe in it would be waited for, for ever.
        flags: fs.constants.O_RDONLY | fs.constants.O_NONBLOCK,
        resolve: RESOLVE_BENEATH_NO_MAGICLINKS,
      });
      const stat = fs.fstatSync(file);
      if (stat.isFile()) piece = { fd: file, start: 0, size: stat.size };
      else fs.closeSync(file);
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === 'EXDEV' || code === 'ELOOP') throw hostile(name);
    }
    open.set(name, piece);
    return piece;
  };
  return archiveOf(find, () => {
    for (const piece of open.values()) if (piece) fs.closeSync(piece.fd);
    fs.closeSync(fd);
  });
}

function archiveOf(find: (name: string) => Piece | undefined, close: () => void): Archive {
  const need = (name: string) => {
    const piece = find(inside(name, []));
    if (piece) return piece;
    throw new StackError('image.archive', { message: `The archive has no ${name}, which its index names.` });
  };
  return {
    has: (name) => find(name) !== undefined,
    size: (name) => need(name).size,
    read(name) {
      const { fd, start, size } = need(name);
      if (size > documentLimit)
        throw new StackError('image.limit', { message: `${name} of the archive has ${size} bytes.` });
      const content = Buffer.alloc(size);
      for (let at = 0; at < size; ) {
        const length = fs.readSync(fd, content, at, size - at, start + at);
        if (length === 0) throw new StackError('image.truncated', { message: `${name} of the archive is cut off.` });
        at += length;
      }
      return content;
    },
    async *stream(name) {
      const { fd, start, size } = need(name);
      for (let at = 0; at < size; ) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkSize, size - at));
        const length = fs.readSync(fd, chunk, 0, chunk.length, start + at);
        if (length === 0) return;
        at += length;
        yield chunk.subarray(0, length);
      }
    },
    [Symbol.dispose]: close,
  };
}

/** Digest of a piece, for archives that name layers without one. */
export async function digestOf(archive: Archive, name: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of archive.stream(name)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** `path` from the directory `from` (components), normalised. @throws StackError `image.hostile-archive` */
function inside(path: string, from: string[]): string {
  if (path.startsWith('/')) throw hostile(path);
  const at = [...from];
  for (const component of path.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') at.push(component);
    else if (at.pop() === undefined) throw hostile(path);
  }
  return at.join('/');
}

function hostile(path: string): StackError {
  return new StackError('image.hostile-archive', {
    message: `The archive has the path "${path}", which leads out of it.`,
    hint: 'Do not use this archive; nothing of it was kept.',
  });
}
