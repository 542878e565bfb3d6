/** A directory of an image seen over all its layers, and its copy into a volume. By descriptors alone. */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, S_IFMT, S_IFDIR, S_IFREG, S_IFLNK } = constants;
const { S_IFCHR, S_IFBLK, S_IFIFO } = constants;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** linux/openat2.h. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

/** The image's root directory. The caller closes it. */
export function imageView(verbs: FilesystemVerbs, image: StoredImage): Fd | null {
  const layers = image.layers.map((path) => openSync(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  try {
    return layers.length === 0 ? null : verbs.overlayView(layers);
  } finally {
    for (const layer of layers) closeSync(layer);
  }
}

/** What the image has at an absolute path, links followed inside its root. Null where it has nothing. */
export function lookUp(verbs: FilesystemVerbs, view: Fd, path: string): { fd: Fd; isDirectory: boolean } | null {
  try {
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const fd = verbs.openat2(view, path.replace(/^\/+/, '') || '.', { flags: O_PATH | O_CLOEXEC, resolve });
    return { fd, isDirectory: fstatSync(fd).isDirectory() };
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return null;
    throw thrown;
  }
}

/**
 * Everything below `from`, and its own ownership, mode, times and attributes, into the directory `to`: files, links
 * (hard ones too), devices and pipes. Sockets are left out. A container that already has `to` mounted cannot lead the
 * copy out of it: names are single components below descriptors, and no link is followed.
 * @param from,to descriptors of directories; both stay open.
 */
export async function copyTree(verbs: FilesystemVerbs, from: Fd, to: Fd): Promise<void> {
  const copied = new Map<string, { directory: string; name: string }>();
  let work = 0;
  await copyDirectory(reopen(verbs, from, O_RDONLY | O_DIRECTORY), reopen(verbs, to, O_RDONLY | O_DIRECTORY), '.');

  /** Closes both. */
  async function copyDirectory(source: Fd, target: Fd, path: string): Promise<void> {
    try {
      for (const name of verbs.readdir(source)) {
        if (++work % 256 === 0) await breathe();
        await copyEntry(source, target, path, name);
      }
      copyMetadata(source, target, '', '');
    } finally {
      closeSync(source);
      closeSync(target);
    }
  }

  async function copyEntry(source: Fd, target: Fd, path: string, name: string): Promise<void> {
    const entry = verbs.openat2(source, name, { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC });
    const status = fstatSync(entry);
    closeSync(entry);
    const key = `${status.dev}:${status.ino}`;
    const first = status.nlink > 1 && !status.isDirectory() ? copied.get(key) : undefined;
    if (first) {
      const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
      const directory = verbs.openat2(to, first.directory, how);
      try {
        verbs.linkat(directory, first.name, target, name);
      } finally {
        closeSync(directory);
      }
      return;
    }
    copied.set(key, { directory: path, name });
    switch (status.mode & S_IFMT) {
      case S_IFDIR: {
        verbs.mkdirat(target, name, 0o700);
        const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        const inner = verbs.openat2(source, name, { flags });
        await copyDirectory(inner, verbs.openat2(target, name, { flags }), `${path}/${name}`);
        return;
      }
      case S_IFREG:
        work += copyFile(source, target, name);
        return;
      case S_IFLNK:
        verbs.symlinkat(verbs.readlinkat(source, name), target, name);
        break;
      case S_IFCHR:
        // A single layer is seen as it lies, whiteouts and all.
        if (status.rdev === 0) return;
        verbs.mknodat(target, name, status.mode, major(status.rdev), minor(status.rdev));
        break;
      case S_IFBLK:
      case S_IFIFO:
        verbs.mknodat(target, name, status.mode, major(status.rdev), minor(status.rdev));
        break;
      default:
        return;
    }
    copyMetadata(source, target, name, name);
  }

  /** Answers how many pieces it wrote. */
  function copyFile(source: Fd, target: Fd, name: string): number {
    const input = verbs.openat2(source, name, { flags: O_RDONLY | O_NOFOLLOW | O_CLOEXEC });
    let output: Fd | undefined;
    try {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
      output = verbs.openat2(target, name, { flags, mode: 0o600 });
      let pieces = 0;
      for (let size = readSync(input, buffer); size > 0; size = readSync(input, buffer)) {
        for (let at = 0; at < size; ) at += writeSync(output, buffer, at, size - at);
        pieces++;
      }
      copyMetadata(input, output, '', '');
      return pieces;
    } finally {
      closeSync(input);
      if (output !== undefined) closeSync(output);
    }
  }

  /** Owner before mode, since chown(2) clears set-user-ID; times last. */
  function copyMetadata(source: Fd, target: Fd, from: string, name: string): void {
    const entry = from === '' ? source : verbs.openat2(source, from, { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC });
    try {
      const status = fstatSync(entry, { bigint: true });
      verbs.fchownat(target, name, Number(status.uid), Number(status.gid));
      const isLink = (Number(status.mode) & S_IFMT) === S_IFLNK;
      if (name === '') verbs.fchmod(target, Number(status.mode) & 0o7777);
      else if (!isLink) chmodEntry(target, name, Number(status.mode) & 0o7777);
      for (const attribute of verbs.llistxattr(source, from)) {
        if (isCopied(attribute)) verbs.lsetxattr(target, name, attribute, verbs.lgetxattr(source, from, attribute));
      }
      verbs.utimensat(target, name, status.atimeNs, status.mtimeNs);
    } finally {
      if (from !== '') closeSync(entry);
    }
  }

  function chmodEntry(target: Fd, name: string, mode: number): void {
    const entry = verbs.openat2(target, name, { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC });
    try {
      verbs.fchmod(entry, mode);
    } finally {
      closeSync(entry);
    }
  }
}

const buffer = Buffer.allocUnsafe(256 * 1024);

function reopen(verbs: FilesystemVerbs, fd: Fd, flags: number): Fd {
  return verbs.openat2(fd, '.', { flags: flags | O_CLOEXEC });
}

/** Whether an extended attribute goes along: overlayfs keeps its own notes in some, and labels are the host's business. */
export const isCopied = (attribute: string): boolean =>
  !attribute.startsWith('trusted.overlay.') &&
  !attribute.startsWith('user.overlay.') &&
  attribute !== 'security.selinux';

/** makedev(3) of Linux. */
export const major = (device: number | bigint): number =>
  Number(((BigInt(device) >> 8n) & 0xfffn) | ((BigInt(device) >> 32n) & 0xffff_f000n));
export const minor = (device: number | bigint): number =>
  Number((BigInt(device) & 0xffn) | ((BigInt(device) >> 12n) & 0xffff_ff00n));
