/**
 * The tar of files that somebody else may change meanwhile: what `cp` and `export` read. Nothing in it has a meaning of a
 * layer's (see layer-tar.ts). Names in order of bytes, a directory before what it has.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { isForeignAttribute } from './extract-metadata.ts';
import { limits } from './extract-path.ts';
import { deviceNumber, gathered, typeOf } from './layer-tar.ts';
import { fileStat, type Stat } from './stat.ts';
import type { EntryType, TarEntry } from './tar.ts';
import { endOfArchive, entryHeader, padding, toBytes } from './tar-writer.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const O_PATH = 0o10000000;
/** linux/openat2.h: RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS. */
const resolve = 0x08 | 0x02;
const pieceSize = 256 * 1024;

/**
 * Pieces of the tar of one file or directory with all below it, under the name `as`, or only of what is below where that is
 * empty. What a file loses meanwhile is zeros, what it gains is left out. Sockets below are left out.
 * @param fd stays the caller's. @throws StackError `copy.path` for a socket, `image.limit`
 */
export function* treeTar(verbs: FilesystemVerbs, fd: Fd, as: string): Generator<Uint8Array> {
  yield* gathered(pieces(verbs, fd, as));
}

function* pieces(verbs: FilesystemVerbs, fd: Fd, as: string): Generator<Uint8Array> {
  const tar = new TreeTar(verbs);
  if (as === '') yield* tar.directory(fd, '', 0);
  else {
    const stat = fileStat(fd);
    const type = typeOf(stat);
    if (!type) throw new StackError('copy.path', { message: `${as} is a socket, which cannot be copied.` });
    yield* tar.file(fd, as, type, stat, 0);
  }
  yield endOfArchive;
}

class TreeTar {
  readonly #verbs: FilesystemVerbs;
  /** First path of each file that has several, by device and inode. */
  readonly #links = new Map<string, string>();

  constructor(verbs: FilesystemVerbs) {
    this.#verbs = verbs;
  }

  *directory(fd: Fd, prefix: string, depth: number): Generator<Uint8Array> {
    if (depth > limits.depth) {
      throw new StackError('image.limit', { message: `Directories are more than ${limits.depth} deep at ${prefix}.` });
    }
    const names = this.#verbs.readdir(fd).sort((a, b) => Buffer.compare(toBytes(a), toBytes(b)));
    for (const name of names) {
      const child = this.#open(fd, name);
      if (child === undefined) continue;
      try {
        const stat = fileStat(child);
        const type = typeOf(stat);
        if (type) yield* this.file(child, prefix + name, type, stat, depth);
      } finally {
        closeSync(child);
      }
    }
  }

  *file(fd: Fd, path: string, type: EntryType, stat: Stat, depth: number): Generator<Uint8Array> {
    const entry = this.#entry(fd, path, type, stat);
    yield entryHeader(entry);
    if (type === 'directory') yield* this.directory(fd, `${path}/`, depth + 1);
    else if (entry.type === 'file') yield* content(fd, entry.size);
  }

  /** Undefined where it went meanwhile. */
  #open(parent: Fd, name: string): Fd | undefined {
    try {
      return this.#verbs.openat2(parent, name, { flags: O_PATH | O_NOFOLLOW, resolve });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }

  #entry(fd: Fd, path: string, type: EntryType, stat: Stat): TarEntry {
    const isDirectory = type === 'directory';
    const names = this.#verbs.llistxattr(fd, '').filter((name) => !isForeignAttribute(name));
    const entry: TarEntry = {
      name: isDirectory ? `${path}/` : path,
      type,
      linkName: type === 'symlink' ? this.#verbs.readlinkat(fd, '') : '',
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeNs: stat.mtimeNs,
      atimeNs: undefined,
      major: 0,
      minor: 0,
      ...(type === 'char' || type === 'block' ? deviceNumber(stat.rdev) : {}),
      xattrs: new Map(names.map((name) => [name, this.#verbs.lgetxattr(fd, '', name)])),
    };
    if (isDirectory || Number(stat.nlink) === 1) return entry;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first !== undefined) {
      return { ...entry, type: 'link', linkName: first, size: 0, major: 0, minor: 0, xattrs: new Map() };
    }
    this.#links.set(key, path);
    return entry;
  }
}

function* content(place: Fd, size: number): Generator<Uint8Array> {
  // The very file that was looked at, whatever its name leads to by now.
  const fd = openSync(`/proc/self/fd/${place}`, O_RDONLY | O_NONBLOCK);
  try {
    for (let at = 0; at < size; ) {
      const piece = Buffer.allocUnsafe(Math.min(pieceSize, size - at));
      const count = readSync(fd, piece, 0, piece.length, at) || piece.fill(0).length;
      at += count;
      yield piece.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
  const rest = padding(size);
  if (rest.length > 0) yield rest;
}
