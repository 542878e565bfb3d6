/** ADD of a local tar archive: its entries are put into a directory of the tree, every name walked inside the tree. */
import { closeSync, constants, readSync, writeSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { safePath } from '../images/extract-path.ts';
import { type TarEntry, TarReader, type TarSink } from '../images/tar.ts';
import { checkSum } from '../images/tar-header.ts';
import type { Copying } from './copy.ts';
import { compressionOf, decompress } from './decompress.ts';
import { clear, kindAt } from './place.ts';
import { openFile, openPlain, resolvePath } from './resolve.ts';
import type { Item } from './select.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, S_IFBLK, S_IFCHR, S_IFIFO } = constants;

/** Told by its first bytes; a compressed file counts as an archive where a tar is in it. */
export function isArchive(verbs: FilesystemVerbs, item: Item): boolean {
  // Opening a fifo waits for whoever writes to it.
  if (kindAt(verbs, item.source.root, item.path) !== 'file') return false;
  const fd = openFile(verbs, item.source.root, item.path);
  try {
    const head = Buffer.alloc(64 * 1024);
    const start = head.subarray(0, readSync(fd, head, 0, head.length, 0));
    const compression = compressionOf(start);
    if (!compression) return isTar(start);
    if (compression === 'gzip') return isTar(inflated(start));
    // Their streams cannot be begun here without another program: what is named so is taken for what it says.
    return /\.(?:tar|t?[gx]z|tbz2?|tzst|tar\.\w+)$/.test(item.name);
  } finally {
    closeSync(fd);
  }
}

function inflated(start: Buffer): Buffer {
  try {
    return zlib.gunzipSync(start, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}

function isTar(start: Buffer): boolean {
  if (start.length < 512) return false;
  try {
    checkSum(start.subarray(0, 512));
    return true;
  } catch {
    return false;
  }
}

/** @param directory of the tree, where the archive's root comes; stays open. */
export async function unpack(copying: Copying, item: Item, directory: Fd): Promise<void> {
  const { verbs } = copying;
  const fd = openFile(verbs, item.source.root, item.path);
  const head = Buffer.alloc(8);
  readSync(fd, head, 0, 8, 0);
  const source = (await import('node:fs')).createReadStream('', { fd, start: 0, highWaterMark: 256 * 1024 });
  const sink = new Unpacker(copying, directory);
  const reader = new TarReader(sink);
  try {
    const { plain, ended } = decompress(source, compressionOf(head), item.name);
    for await (const chunk of plain) {
      copying.signal.throwIfAborted();
      reader.push(chunk as Buffer);
    }
    await ended;
    reader.finish();
    sink.finish();
  } catch (thrown) {
    throw explained(thrown, item.name);
  } finally {
    // A decompressor in between that ends early leaves it open.
    source.destroy();
    sink.close();
  }
}

/** What the readers of images' archives and zlib say, in words about this one. */
function explained(thrown: unknown, name: string): unknown {
  const { code, message } = thrown as NodeJS.ErrnoException;
  const isHostile = code === 'image.hostile-archive';
  if (!isHostile && !code?.startsWith('Z_') && !code?.startsWith('image.')) return thrown;
  return new StackError(isHostile ? 'image.hostile-archive' : 'build.context', {
    message: `${name} cannot be unpacked: ${message.replace(/\.$/, '')}.`,
    hint: isHostile ? 'Do not use this archive. Nothing was tagged.' : 'It is damaged, or cut off: make it again.',
    cause: thrown,
  });
}

/** Like a layer's extraction, but onto what is there: links of the tree are followed inside of it, and nothing is a whiteout. */
class Unpacker implements TarSink {
  readonly #copying: Copying;
  readonly #root: Fd;
  #file: Fd | undefined;
  #entry: TarEntry | undefined;
  #position = 0;
  readonly #directories = new Map<string, TarEntry>();
  #parent: { path: string; fd: Fd } | undefined;

  constructor(copying: Copying, root: Fd) {
    this.#copying = copying;
    this.#root = root;
  }

  entry(entry: TarEntry): void {
    const path = safePath(entry.name, entry.name);
    if (path === '') return;
    const slash = path.lastIndexOf('/');
    const parent = this.#openParent(path.slice(0, Math.max(slash, 0)));
    const name = path.slice(slash + 1);
    this.#entry = entry;
    const { verbs } = this.#copying;
    if (entry.type === 'directory') {
      this.#directory(parent, path, name, entry);
      return;
    }
    clear(verbs, parent, name, entry.name);
    switch (entry.type) {
      case 'file':
        this.#file = verbs.openat2(parent, name, { flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 });
        this.#position = 0;
        return;
      case 'symlink':
        verbs.symlinkat(entry.linkName, parent, name);
        break;
      case 'link':
        this.#link(parent, name, entry);
        return;
      case 'fifo':
      case 'char':
      case 'block': {
        const kind = { fifo: S_IFIFO, char: S_IFCHR, block: S_IFBLK }[entry.type];
        verbs.mknodat(parent, name, kind | 0o600, entry.major, entry.minor);
      }
    }
    this.#metadata(parent, name, entry);
  }

  data(chunk: Uint8Array): void {
    if (this.#file === undefined) return;
    for (let at = 0; at < chunk.length; ) {
      at += writeSync(this.#file, chunk, at, chunk.length - at, this.#position + at);
    }
    this.#position += chunk.length;
  }

  hole(size: number): void {
    this.#position += size;
  }

  end(): void {
    if (this.#file === undefined) return;
    const fd = this.#file;
    this.#file = undefined;
    try {
      this.#metadata(fd, '', this.#entry!);
    } finally {
      closeSync(fd);
    }
  }

  /** Times of directories, when nothing is put into them any more. */
  finish(): void {
    for (const [path, entry] of [...this.#directories].sort(([a], [b]) => b.length - a.length)) {
      const fd = openPlain(this.#copying.verbs, this.#root, path);
      if (fd === undefined) continue;
      this.#copying.verbs.utimensat(fd, '', entry.mtimeNs, entry.mtimeNs);
      closeSync(fd);
    }
  }

  close(): void {
    for (const fd of [this.#file, this.#parent?.fd]) if (fd !== undefined) closeSync(fd);
    this.#file = undefined;
    this.#parent = undefined;
  }

  #openParent(path: string): Fd {
    if (this.#parent?.path === path) return this.#parent.fd;
    const { verbs } = this.#copying;
    const { path: real, depth } = resolvePath(verbs, this.#root, path);
    const parts = real.split('/').filter(Boolean);
    const how = { flags: O_RDONLY | O_DIRECTORY, resolve: 0x08 | 0x04 };
    let fd = verbs.openat2(this.#root, parts.slice(0, depth).join('/') || '.', how);
    for (const name of parts.slice(depth)) {
      try {
        verbs.mkdirat(fd, name, 0o755);
        const inner = verbs.openat2(fd, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
        closeSync(fd);
        fd = inner;
      } catch (thrown) {
        closeSync(fd);
        throw thrown;
      }
    }
    if (this.#parent) closeSync(this.#parent.fd);
    this.#parent = { path, fd };
    return fd;
  }

  #directory(parent: Fd, path: string, name: string, entry: TarEntry): void {
    const { verbs } = this.#copying;
    try {
      verbs.mkdirat(parent, name, 0o700);
    } catch (thrown) {
      if ((thrown as KernelError).code !== 'EEXIST') throw thrown;
      if (resolvePath(verbs, this.#root, path).kind === 'directory') {
        // One of the tree, or a link to one, which stays.
        const fd = openPlain(verbs, parent, name);
        if (fd !== undefined) closeSync(fd);
      } else {
        clear(verbs, parent, name, path);
        verbs.mkdirat(parent, name, 0o700);
      }
    }
    const { path: real } = resolvePath(verbs, this.#root, path);
    const fd = verbs.openat2(this.#root, real, { flags: O_RDONLY | O_DIRECTORY, resolve: 0x08 | 0x04 });
    try {
      this.#metadata(fd, '', entry);
    } finally {
      closeSync(fd);
    }
    this.#directories.set(real, entry);
  }

  #link(parent: Fd, name: string, entry: TarEntry): void {
    const { verbs } = this.#copying;
    const { path } = resolvePath(verbs, this.#root, safePath(entry.linkName, entry.name), false);
    const slash = path.lastIndexOf('/');
    const from = openPlain(verbs, this.#root, path.slice(0, Math.max(slash, 0)));
    if (from === undefined) {
      throw new StackError('image.archive', {
        message: `The archive links ${entry.name} to ${entry.linkName}, which it has not.`,
      });
    }
    try {
      verbs.linkat(from, path.slice(slash + 1), parent, name);
    } finally {
      closeSync(from);
    }
  }

  #metadata(parent: Fd, name: string, entry: TarEntry): void {
    const { verbs } = this.#copying;
    // As docker: --chown and --chmod are for the directory it is unpacked into, and entries keep their own.
    verbs.fchownat(parent, name, entry.uid, entry.gid);
    if (entry.type !== 'symlink') {
      if (name === '') verbs.fchmod(parent, entry.mode);
      else {
        const fd = openPlain(verbs, parent, name)!;
        verbs.fchmod(fd, entry.mode);
        closeSync(fd);
      }
    }
    for (const [attribute, value] of entry.xattrs) {
      if (!attribute.startsWith('trusted.') && attribute !== 'security.selinux') {
        verbs.lsetxattr(parent, name, attribute, value);
      }
    }
    verbs.utimensat(parent, name, entry.mtimeNs, entry.mtimeNs);
  }
}
