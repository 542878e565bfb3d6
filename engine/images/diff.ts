/** What changed between two file systems of images, in docker diff's terms. Both are walked by descriptors, without following links. */
import * as fs from 'node:fs';
import type { FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';

export interface Change {
  /** Added, changed, deleted. */
  kind: 'A' | 'C' | 'D';
  /** Absolute, as inside the container. */
  path: string;
}

type Fd = number;

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
const O_PATH = 0o10000000;
const RESOLVE_BENEATH_NO_SYMLINKS = 0x08 | 0x04;

/**
 * From the file system of `before` (layers uppermost first, as StoredImage has them) to that of `after`, in order of path. As
 * docker counts: a directory is changed where its mode or owner is, or where something directly in it came, went or changed; a
 * file where mode, owner, device, size, time, link, capability or content is. What a new directory holds is listed, what a deleted one
 * held is not.
 */
export function diff(verbs: FilesystemVerbs, before: string[], after: string[]): Change[] {
  const changes: Change[] = [];
  const opened: Fd[] = [];
  try {
    const [a, b] = [before, after].map((layers) => view(verbs, layers, opened)) as [Fd | undefined, Fd | undefined];
    compareDirectories(verbs, a, b, '', changes);
  } finally {
    for (const fd of opened) fs.closeSync(fd);
  }
  return changes.sort((x, y) => (x.path < y.path ? -1 : 1));
}

/**
 * The image of `images` that `image` was made from: the one with the most layers of those that are its lowest, not itself.
 * Undefined where there is none.
 */
export function baseOf(image: StoredImage, images: StoredImage[]): StoredImage | undefined {
  const isBase = ({ layers }: StoredImage) =>
    layers.length > 0 &&
    layers.length < image.layers.length &&
    layers.every((layer, at) => layer === image.layers[at + image.layers.length - layers.length]);
  return images.filter(isBase).sort((x, y) => y.layers.length - x.layers.length)[0];
}

/** One layer is its own view; several are seen through overlayfs. */
function view(verbs: FilesystemVerbs, layers: string[], opened: Fd[]): Fd | undefined {
  const fds = layers.map((path) => fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  opened.push(...fds);
  if (fds.length < 2) return fds[0];
  const merged = verbs.overlayView(fds);
  opened.push(merged);
  return merged;
}

/** Answers whether anything directly in it changed. */
function compareDirectories(
  verbs: FilesystemVerbs,
  a: Fd | undefined,
  b: Fd | undefined,
  path: string,
  changes: Change[],
): boolean {
  const [before, after] = [a, b].map((fd) => new Set(fd === undefined ? [] : verbs.readdir(fd)));
  let isTouched = false;
  const add = (kind: Change['kind'], at: string) => {
    changes.push({ kind, path: at });
    isTouched = true;
  };
  for (const name of new Set([...before!, ...after!])) {
    const at = `${path}/${name}`;
    using x = before!.has(name) ? open(verbs, a!, name) : undefined;
    using y = after!.has(name) ? open(verbs, b!, name) : undefined;
    if (!y) {
      add('D', at);
      continue;
    }
    const isDirectory = y.stat.isDirectory();
    if (!x) add('A', at);
    const wasDirectory = x?.stat.isDirectory() ?? false;
    const inside = isDirectory ? compareBelow(verbs, wasDirectory ? x : undefined, y, at, changes) : false;
    if (x && (inside || differs(verbs, x, y))) add('C', at);
  }
  return isTouched;
}

function compareBelow(
  verbs: FilesystemVerbs,
  x: Opened | undefined,
  y: Opened,
  path: string,
  changes: Change[],
): boolean {
  const list = (from: Opened) =>
    verbs.openat2(from.fd, '.', { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: RESOLVE_BENEATH_NO_SYMLINKS });
  const a = x && list(x);
  const b = list(y);
  try {
    return compareDirectories(verbs, a, b, path, changes);
  } finally {
    fs.closeSync(b);
    if (a !== undefined) fs.closeSync(a);
  }
}

interface Opened extends Disposable {
  fd: Fd;
  stat: fs.BigIntStats;
}

function open(verbs: FilesystemVerbs, directory: Fd, name: string): Opened {
  const fd = verbs.openat2(directory, name, { flags: O_PATH | O_NOFOLLOW, resolve: 0x08 });
  return { fd, stat: fs.fstatSync(fd, { bigint: true }), [Symbol.dispose]: () => fs.closeSync(fd) };
}

function differs(verbs: FilesystemVerbs, x: Opened, y: Opened): boolean {
  const [a, b] = [x.stat, y.stat];
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) return true;
  if (a.isDirectory()) return false;
  // Whole seconds where one side has only those: docker's layers often do.
  if (a.size !== b.size || a.mtimeNs / 1_000_000_000n !== b.mtimeNs / 1_000_000_000n) return true;
  if (a.isSymbolicLink()) return verbs.readlinkat(x.fd, '') !== verbs.readlinkat(y.fd, '');
  // Overlayfs over one file system keeps inode numbers: the same file of a layer that both have.
  if (a.ino === b.ino) return false;
  if (capability(verbs, x.fd) !== capability(verbs, y.fd)) return true;
  return a.isFile() && !hasSameContent(x.fd, y.fd);
}

/** Builds that set all times to one make files that differ in nothing else. */
function hasSameContent(x: Fd, y: Fd): boolean {
  const [a, b] = [x, y].map((fd) => fs.openSync(`/proc/self/fd/${fd}`, O_RDONLY)) as [Fd, Fd];
  const [left, right] = [Buffer.alloc(1 << 17), Buffer.alloc(1 << 17)];
  try {
    for (;;) {
      const [m, n] = [fs.readSync(a, left), fs.readSync(b, right)];
      if (m !== n || left.compare(right, 0, n, 0, m) !== 0) return false;
      if (m === 0) return true;
    }
  } finally {
    fs.closeSync(a);
    fs.closeSync(b);
  }
}

function capability(verbs: FilesystemVerbs, fd: Fd): string {
  try {
    return Buffer.from(verbs.lgetxattr(fd, '', 'security.capability')).toString('hex');
  } catch (thrown) {
    const { code } = thrown as KernelError;
    if (code === 'ENODATA' || code === 'EOPNOTSUPP' || code === 'ENOTSUP') return '';
    throw thrown;
  }
}
