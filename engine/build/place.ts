/** Puts single files, links, devices and directories into a directory by descriptor. */
import { closeSync, constants, readSync, writeSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { isCopied, major, minor } from '../volumes/tree.ts';
import { openFile } from './resolve.ts';
import { type Found, type Kind, kindOf, statAt } from './walk.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, S_IFMT } = constants;

/** What an entry gets instead of its own. */
export interface Override {
  uid?: number | undefined;
  gid?: number | undefined;
  /** The new permission bits. */
  mode?: ((mode: number, isDirectory: boolean) => number) | undefined;
}

const buffer = Buffer.allocUnsafe(256 * 1024);

/** Kind of what a directory has under a name; undefined for nothing. */
export function kindAt(verbs: FilesystemVerbs, directory: Fd, name: string): Kind | undefined {
  try {
    return kindOf(statAt(verbs, directory, name));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** Makes room for what is no directory. @throws StackError build.path where a directory is in the way */
export function clear(verbs: FilesystemVerbs, directory: Fd, name: string, shown: string): void {
  try {
    verbs.unlinkat(directory, name, false);
  } catch (thrown) {
    const { code } = thrown as KernelError;
    if (code === 'ENOENT') return;
    if (code !== 'EISDIR' && code !== 'EPERM') throw thrown;
    throw new StackError('build.path', {
      message: `${shown} cannot be copied: there is a directory of that name.`,
      hint: 'Copy it to another name, or remove the directory first.',
    });
  }
}

/** A copy of what the walk found, as `name` in `directory`. Sockets are left out. */
export function copyEntry(verbs: FilesystemVerbs, found: Found, directory: Fd, name: string, over: Override): void {
  const { parent, stat, kind } = found;
  switch (kind) {
    case 'file':
      copyFile(verbs, found, directory, name, over);
      return;
    case 'symlink':
      verbs.symlinkat(verbs.readlinkat(parent, found.name), directory, name);
      break;
    case 'char':
    case 'block':
    case 'fifo':
      verbs.mknodat(directory, name, Number(stat.mode) & S_IFMT, major(stat.rdev), minor(stat.rdev));
      break;
    default:
      return;
  }
  setMetadata(verbs, found, directory, name, over);
}

/** Files of one directory on their way into another: the kernel copies many in a call. */
export class CopyBatch {
  readonly #verbs: FilesystemVerbs;
  readonly #over: Override;
  #from: Fd = -1;
  #to: Fd = -1;
  #names: string[] = [];
  #metadata: bigint[] = [];

  constructor(verbs: FilesystemVerbs, over: Override) {
    this.#verbs = verbs;
    this.#over = over;
  }

  /** Copies it now or with the next ones, at the latest with `flush`: both directories stay open until then. */
  add({ parent, name, stat }: Found, to: Fd): void {
    if (parent !== this.#from || to !== this.#to || this.#names.length >= mostAtOnce) this.flush();
    this.#from = parent;
    this.#to = to;
    const { uid = stat.uid, gid = stat.gid } = this.#over;
    const mode = stat.mode & 0o7777;
    this.#names.push(name);
    this.#metadata.push(BigInt(uid), BigInt(gid), BigInt(this.#over.mode?.(mode, false) ?? mode), stat.mtimeNs);
  }

  flush(): void {
    const names = this.#names;
    if (names.length === 0) return;
    this.#names = [];
    const metadata = BigInt64Array.from(this.#metadata);
    this.#metadata = [];
    for (const at of this.#verbs.copyFiles(this.#from, this.#to, names, metadata)) {
      copyAttributes(this.#verbs, this.#from, names[at]!, this.#to, names[at]!);
    }
  }
}

/** As many as are copied before Ctrl-C and the output of other steps are looked after. */
const mostAtOnce = 256;

function copyAttributes(verbs: FilesystemVerbs, parent: Fd, from: string, target: Fd, name: string): void {
  for (const attribute of verbs.llistxattr(parent, from)) {
    if (isCopied(attribute)) verbs.lsetxattr(target, name, attribute, verbs.lgetxattr(parent, from, attribute));
  }
}

function copyFile(
  verbs: FilesystemVerbs,
  { parent, name: from, ...found }: Found,
  to: Fd,
  name: string,
  over: Override,
) {
  const input = openFile(verbs, parent, from);
  let output: Fd | undefined;
  try {
    output = verbs.openat2(to, name, { flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 });
    for (let size = readSync(input, buffer); size > 0; size = readSync(input, buffer)) {
      for (let at = 0; at < size; ) at += writeSync(output, buffer, at, size - at);
    }
    setMetadata(verbs, { ...found, parent: input, name: '' }, output, '', over);
  } finally {
    closeSync(input);
    if (output !== undefined) closeSync(output);
  }
}

/** Owner before mode, since chown(2) clears set-user-ID; times last. */
export function setMetadata(
  verbs: FilesystemVerbs,
  { parent, name: from, stat, kind }: Pick<Found, 'parent' | 'name' | 'stat' | 'kind'>,
  target: Fd,
  name: string,
  over: Override,
): void {
  verbs.fchownat(target, name, over.uid ?? Number(stat.uid), over.gid ?? Number(stat.gid));
  if (kind !== 'symlink') {
    const mode = Number(stat.mode) & 0o7777;
    setMode(verbs, target, name, over.mode?.(mode, kind === 'directory') ?? mode);
  }
  copyAttributes(verbs, parent, from, target, name);
  verbs.utimensat(target, name, stat.mtimeNs, stat.mtimeNs);
}

function setMode(verbs: FilesystemVerbs, target: Fd, name: string, mode: number): void {
  if (name === '') {
    verbs.fchmod(target, mode);
    return;
  }
  const fd = verbs.openat2(target, name, { flags: 0o10000000 | O_NOFOLLOW });
  try {
    verbs.fchmod(fd, mode);
  } finally {
    closeSync(fd);
  }
}

/** The directory `name`, made where it is missing: its descriptor, and whether it was made. @throws StackError build.path */
export function openDirectory(verbs: FilesystemVerbs, parent: Fd, name: string, shown: string): [Fd, boolean] {
  let isNew = true;
  try {
    verbs.mkdirat(parent, name, 0o700);
  } catch (thrown) {
    if ((thrown as KernelError).code !== 'EEXIST') throw thrown;
    isNew = false;
  }
  try {
    return [verbs.openat2(parent, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW }), isNew];
  } catch (thrown) {
    const { code } = thrown as KernelError;
    if (code !== 'ENOTDIR' && code !== 'ELOOP') throw thrown;
    throw new StackError('build.path', {
      message: `The directory ${shown} cannot be copied: there is a file or a link of that name.`,
      hint: 'Copy it to another name, or remove what is in the way first.',
    });
  }
}
