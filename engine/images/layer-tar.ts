/**
 * The tar of a layer from a directory or an overlay's upper directory: the same files give the same bytes, on every machine.
 * Names in order of bytes, a directory before what it has, no names of users, no times but mtime. What overlayfs keeps of
 * itself becomes what image-spec layer.md says: whiteouts `.wh.<name>`, opaque directories `.wh..wh..opq`.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { isForeignAttribute } from './extract-metadata.ts';
import { limits } from './extract-path.ts';
import type { EntryType, TarEntry } from './tar.ts';
import { endOfArchive, entryHeader, padding, toBytes } from './tar-writer.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const O_PATH = 0o10000000;
const resolve = 0x08 | 0x02;
const pieceSize = 256 * 1024;

export interface LayerTarOptions {
  /** Nanoseconds since the epoch: later times become this one. For SOURCE_DATE_EPOCH, in seconds, of reproducible builds. */
  latestNs?: bigint;
}

/**
 * Pieces of the tar of what lies below `root`, which stays the caller's; the root itself has no entry. Sockets are left out.
 * Nothing may change below it meanwhile.
 * @throws StackError `image.archive` for what a layer cannot say: names with the prefix `.wh.`, directories that overlayfs
 * redirects, a file that shrinks; `image.limit` beyond the depth that is extracted.
 */
export function* layerTar(verbs: FilesystemVerbs, root: Fd, options: LayerTarOptions = {}): Generator<Uint8Array> {
  yield* gathered(pieces(verbs, root, options));
}

/**
 * Pieces of the tar of one file or directory with all below it, under the name `as`, or only what is below where that is empty: what `cp` copies. Nothing in it has a
 * meaning of a layer's, and it may change meanwhile: what a file lost is zeros, what it gained is left out.
 * @param fd stays the caller's. @throws StackError `copy.path` for what no tar can hold, `image.limit`
 */
export function* treeTar(verbs: FilesystemVerbs, fd: Fd, as: string): Generator<Uint8Array> {
  yield* gathered(treePieces(verbs, fd, as));
}

function* treePieces(verbs: FilesystemVerbs, fd: Fd, as: string): Generator<Uint8Array> {
  yield* new LayerTar(verbs, { isTree: true }).top(fd, as);
  yield endOfArchive;
}

function* pieces(verbs: FilesystemVerbs, root: Fd, options: LayerTarOptions): Generator<Uint8Array> {
  yield* new LayerTar(verbs, options).directory(root, '', 0);
  yield endOfArchive;
}

/** Fewer and larger pieces: each costs who hashes or compresses it a call, or a way to a thread and back. */
function* gathered(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let held: Uint8Array[] = [];
  let length = 0;
  for (const piece of pieces) {
    held.push(piece);
    length += piece.length;
    if (length < pieceSize) continue;
    yield held.length === 1 ? piece : Buffer.concat(held, length);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held, length);
}

class LayerTar {
  readonly #verbs: FilesystemVerbs;
  readonly #options: LayerTarOptions & { isTree?: boolean };
  /** First path of each file that has several, by device and inode. */
  readonly #links = new Map<string, string>();

  constructor(verbs: FilesystemVerbs, options: LayerTarOptions & { isTree?: boolean }) {
    this.#verbs = verbs;
    this.#options = options;
  }

  *top(fd: Fd, as: string): Generator<Uint8Array> {
    if (as === '') return yield* this.directory(fd, '', 0);
    const stat = fstatSync(fd, { bigint: true });
    const type = typeOf(stat);
    if (!type) throw new StackError('copy.path', { message: `${as} is a socket, which cannot be copied.` });
    yield* this.#whole(fd, as, type, stat, 0);
  }

  *directory(fd: Fd, path: string, depth: number): Generator<Uint8Array> {
    if (depth > limits.depth) {
      throw new StackError('image.limit', { message: `Directories are more than ${limits.depth} deep at ${path}.` });
    }
    if (!this.#options.isTree && this.#isOpaque(fd)) yield this.#marker(`${path}.wh..wh..opq`);
    const names = this.#verbs.readdir(fd).map((name) => ({ name, bytes: toBytes(name) }));
    names.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    for (const { name } of names) yield* this.#child(fd, path, name, depth);
  }

  *#child(parent: Fd, prefix: string, name: string, depth: number): Generator<Uint8Array> {
    const path = prefix + name;
    const fd = this.#verbs.openat2(parent, name, { flags: O_PATH | O_NOFOLLOW, resolve });
    try {
      const stat = fstatSync(fd, { bigint: true });
      const type = typeOf(stat);
      if (!type) return;
      if (!this.#options.isTree && type === 'char' && stat.rdev === 0n) {
        yield this.#marker(`${prefix}.wh.${name}`);
        return;
      }
      if (!this.#options.isTree && name.startsWith('.wh.')) {
        throw new StackError('image.archive', { message: `${path} cannot be part of a layer: it would hide a file.` });
      }
      yield* this.#whole(fd, path, type, stat, depth);
    } finally {
      closeSync(fd);
    }
  }

  *#whole(fd: Fd, path: string, type: EntryType, stat: BigIntStats, depth: number): Generator<Uint8Array> {
    const entry = this.#entry(fd, path, type, stat);
    yield entryHeader(entry);
    if (type === 'directory') yield* this.directory(fd, `${path}/`, depth + 1);
    else if (entry.type === 'file') yield* this.#content(fd, entry);
  }

  #entry(fd: Fd, path: string, type: EntryType, stat: BigIntStats): TarEntry {
    const { latestNs } = this.#options;
    const isDirectory = type === 'directory';
    const entry: TarEntry = {
      ...empty,
      name: isDirectory ? `${path}/` : path,
      type,
      linkName: type === 'symlink' ? this.#verbs.readlinkat(fd, '') : '',
      mode: Number(stat.mode & 0o7777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeNs: latestNs !== undefined && stat.mtimeNs > latestNs ? latestNs : stat.mtimeNs,
      ...(type === 'char' || type === 'block' ? deviceNumber(stat.rdev) : {}),
      xattrs: this.#attributes(fd, path),
    };
    if (isDirectory || stat.nlink === 1n) return entry;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) {
      this.#links.set(key, path);
      return entry;
    }
    return { ...entry, type: 'link', linkName: first, size: 0, major: 0, minor: 0, xattrs: new Map() };
  }

  #attributes(fd: Fd, path: string): Map<string, Uint8Array> {
    const names = this.#verbs.llistxattr(fd, '');
    if (names.some((name) => /^(?:trusted|user)\.overlay\.(?:redirect|metacopy)$/.test(name))) {
      throw new StackError('image.archive', {
        message: `${path} cannot be part of a layer: overlayfs has its content elsewhere.`,
        hint: 'Mount the overlay with redirect_dir=off and metacopy=off.',
      });
    }
    const kept = names.filter((name) => !isForeignAttribute(name));
    return new Map(kept.map((name) => [name, this.#verbs.lgetxattr(fd, '', name)]));
  }

  #isOpaque(fd: Fd): boolean {
    const name = this.#verbs.llistxattr(fd, '').find((other) => /^(?:trusted|user)\.overlay\.opaque$/.test(other));
    return name !== undefined && Buffer.from(this.#verbs.lgetxattr(fd, '', name)).toString() === 'y';
  }

  /** An empty file that says something by its name. */
  #marker(name: string): Buffer {
    return entryHeader({ ...empty, name });
  }

  *#content(place: Fd, { size, name: path }: TarEntry): Generator<Uint8Array> {
    // The very file that was looked at, whatever its name leads to by now.
    const fd = openSync(`/proc/self/fd/${place}`, O_RDONLY | O_NONBLOCK);
    try {
      for (let at = 0; at < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(pieceSize, size - at));
        let count = readSync(fd, piece, 0, piece.length, at);
        if (count === 0 && this.#options.isTree) count = piece.fill(0).length;
        if (count === 0)
          throw new StackError('image.archive', { message: `${path} became shorter while it was read.` });
        at += count;
        yield piece.subarray(0, count);
      }
    } finally {
      closeSync(fd);
    }
    const rest = padding(size);
    if (rest.length > 0) yield rest;
  }
}

const empty: TarEntry = {
  name: '',
  type: 'file',
  linkName: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  atimeNs: undefined,
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** Undefined for sockets, which no tar can hold. */
function typeOf(stat: BigIntStats): EntryType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : undefined;
}

/** As makedev(3) of Linux packs it. */
function deviceNumber(device: bigint): { major: number; minor: number } {
  return {
    major: Number((device >> 8n) & 0xfffn),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xf_ff00n)),
  };
}
