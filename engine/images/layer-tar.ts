/**
 * The tar of a layer from a directory or an overlay's upper directory: the same files give the same bytes, on every machine.
 * Names in order of bytes, a directory before what it has, no names of users, no times but mtime. What overlayfs keeps of
 * itself becomes what image-spec layer.md says: whiteouts `.wh.<name>`, opaque directories `.wh..wh..opq`.
 */
import { closeSync, constants, readSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { isForeignAttribute } from './extract-metadata.ts';
import { limits } from './extract-path.ts';
import { fileStat, listedStats, type Stat } from './stat.ts';
import type { EntryType, TarEntry } from './tar.ts';
import { endOfArchive, entryHeader, padding, toBytes } from './tar-writer.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const O_PATH = 0o10000000;
const resolve = 0x08 | 0x02;
const pieceSize = 256 * 1024;
/** Entries that are looked at, and bytes up to which a file is read, in one call with others. */
const atOnce = 256;
const mostOfSmall = 16 * 1024;

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
  readonly #options: LayerTarOptions;
  /** First path of each file that has several, by device and inode. */
  readonly #links = new Map<string, string>();

  constructor(verbs: FilesystemVerbs, options: LayerTarOptions) {
    this.#verbs = verbs;
    this.#options = options;
  }

  *directory(fd: Fd, path: string, depth: number): Generator<Uint8Array> {
    if (depth > limits.depth) {
      throw new StackError('image.limit', { message: `Directories are more than ${limits.depth} deep at ${path}.` });
    }
    if (this.#isOpaque(fd)) yield this.#marker(`${path}.wh..wh..opq`);
    const names = this.#verbs.readdir(fd).map((name) => ({ name, bytes: toBytes(name) }));
    names.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    for (let at = 0; at < names.length; at += atOnce) {
      const some = names.slice(at, at + atOnce).map(({ name }) => name);
      const small = this.#readSmall(fd, some);
      for (const name of some) {
        const file = small.get(name);
        if (file) yield* this.#small(path, name, file);
        else yield* this.#child(fd, path, name, depth);
      }
    }
  }

  /** Small files without attributes, of which most layers are made: some calls for all of them. */
  #readSmall(parent: Fd, names: string[]): Map<string, { stat: Stat; content: Uint8Array }> {
    const stats = listedStats(this.#verbs, parent, names);
    const files = names.flatMap((name, at) => {
      const stat = stats[at]!;
      return typeOf(stat) === 'file' && stat.size <= mostOfSmall ? [{ name, stat, size: Number(stat.size) }] : [];
    });
    if (files.length === 0) return new Map();
    const read = this.#readFiles(parent, files);
    const found = new Map<string, { stat: Stat; content: Uint8Array }>();
    let from = 0;
    for (const { name, stat, size } of files) {
      found.set(name, { stat, content: read.content.subarray(from, from + size) });
      from += size;
    }
    for (const at of read.attributed) found.delete(files[at]!.name);
    return found;
  }

  #readFiles(parent: Fd, files: { name: string; size: number }[]) {
    const names = files.map(({ name }) => name);
    try {
      return this.#verbs.readFiles(
        parent,
        names,
        Uint32Array.from(files, ({ size }) => size),
      );
    } catch (thrown) {
      const { code, subject } = thrown as KernelError;
      throw code === 'ENODATA' ? shorter(subject) : thrown;
    }
  }

  *#small(prefix: string, name: string, { stat, content }: { stat: Stat; content: Uint8Array }): Generator<Uint8Array> {
    const path = prefix + name;
    checkName(name, path);
    const entry = this.#entry(path, 'file', stat, '', new Map());
    yield entryHeader(entry);
    if (entry.type !== 'file' || content.length === 0) return;
    yield content;
    const rest = padding(content.length);
    if (rest.length > 0) yield rest;
  }

  *#child(parent: Fd, prefix: string, name: string, depth: number): Generator<Uint8Array> {
    const path = prefix + name;
    const fd = this.#verbs.openat2(parent, name, { flags: O_PATH | O_NOFOLLOW, resolve });
    try {
      const stat = fileStat(fd);
      const type = typeOf(stat);
      if (!type) return;
      if (type === 'char' && stat.rdev === 0n) {
        yield this.#marker(`${prefix}.wh.${name}`);
        return;
      }
      checkName(name, path);
      const target = type === 'symlink' ? this.#verbs.readlinkat(parent, name) : '';
      const entry = this.#entry(path, type, stat, target, this.#attributes(fd, path));
      yield entryHeader(entry);
      if (type === 'directory') yield* this.directory(fd, `${path}/`, depth + 1);
      else if (entry.type === 'file') yield* this.#content(parent, name, entry);
    } finally {
      closeSync(fd);
    }
  }

  #entry(path: string, type: EntryType, stat: Stat, linkName: string, xattrs: TarEntry['xattrs']): TarEntry {
    const { latestNs } = this.#options;
    const isDirectory = type === 'directory';
    const entry: TarEntry = {
      ...empty,
      name: isDirectory ? `${path}/` : path,
      type,
      linkName,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: type === 'file' ? Number(stat.size) : 0,
      mtimeNs: latestNs !== undefined && stat.mtimeNs > latestNs ? latestNs : stat.mtimeNs,
      ...(type === 'char' || type === 'block' ? deviceNumber(stat.rdev) : {}),
      xattrs,
    };
    if (isDirectory || stat.nlink === 1) return entry;
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

  *#content(parent: Fd, name: string, { size, name: path }: TarEntry): Generator<Uint8Array> {
    const fd = this.#verbs.openat2(parent, name, { flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, resolve });
    try {
      for (let at = 0; at < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(pieceSize, size - at));
        const count = readSync(fd, piece, 0, piece.length, at);
        if (count === 0) throw shorter(path);
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

const shorter = (path: string) =>
  new StackError('image.archive', { message: `${path} became shorter while it was read.` });

function checkName(name: string, path: string): void {
  if (!name.startsWith('.wh.')) return;
  throw new StackError('image.archive', { message: `${path} cannot be part of a layer: it would hide a file.` });
}

const types = new Map<number, EntryType>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
]);

/** Undefined for sockets, which no tar can hold. */
const typeOf = ({ mode }: Stat): EntryType | undefined => types.get(mode & constants.S_IFMT);

/** As makedev(3) of Linux packs it. */
function deviceNumber(device: bigint): { major: number; minor: number } {
  return {
    major: Number((device >> 8n) & 0xfffn),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xf_ff00n)),
  };
}
