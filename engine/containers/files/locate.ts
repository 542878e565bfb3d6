/** A path below a root, walked by the kernel: what it means, and where its last name stands, so that it can be made or replaced. */
import { closeSync, constants, fstatSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../../schemas/kernel.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
/** linux/openat2.h. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
/** As many as the kernel follows (path_resolution(7)). */
const mostLinks = 40;

export interface Place extends Disposable {
  /** The directory it stands in; null where the path ends in `.`, `..` or the root. */
  parent: Fd | null;
  /** A single component; empty where `parent` is null. */
  name: string;
  /** What is there (O_PATH); null where nothing is. */
  fd: Fd | null;
  kind: 'file' | 'directory' | 'other' | null;
}

/**
 * Links lead nowhere out of `root`; a last one is followed where `follows` says so, or the path ends in a slash.
 * @returns null where not even the directory is there. @throws KernelError of openat2(2) but for ENOENT; StackError `copy.path`
 */
export function locate(verbs: FilesystemVerbs, root: Fd, path: string, follows: boolean): Place | null {
  const isFollowed = follows || path.endsWith('/');
  let at = path;
  for (let links = 0; links <= mostLinks; links++) {
    const trimmed = at.replace(/\/+$/, '');
    const name = trimmed.slice(trimmed.lastIndexOf('/') + 1);
    const directory = trimmed.slice(0, trimmed.length - name.length);
    if (name === '' || name === '.' || name === '..') {
      const fd = openOrNull(() => openInRoot(verbs, root, trimmed || '.', O_DIRECTORY));
      return fd === null ? null : place(null, '', fd);
    }
    const parent = openOrNull(() => openInRoot(verbs, root, directory || '.', O_DIRECTORY));
    if (parent === null) return null;
    let fd: Fd | null = null;
    try {
      const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
      const resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
      fd = openOrNull(() => verbs.openat2(parent, name, { flags, resolve }));
      if (fd === null || !fstatSync(fd).isSymbolicLink() || !isFollowed) return place(parent, name, fd);
      const target = verbs.readlinkat(fd, '');
      at = target.startsWith('/') ? target : `${directory}${target}`;
    } catch (thrown) {
      closeSync(parent);
      if (fd !== null) closeSync(fd);
      throw thrown;
    }
    closeSync(parent);
    closeSync(fd);
  }
  throw new StackError('copy.path', { message: `${path} leads through more than ${mostLinks} links.`, errno: 'ELOOP' });
}

function openInRoot(verbs: FilesystemVerbs, root: Fd, path: string, flags: number): Fd {
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return verbs.openat2(root, path, { flags: flags | O_PATH | O_CLOEXEC, resolve });
}

function openOrNull(open: () => Fd): Fd | null {
  try {
    return open();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}

function place(parent: Fd | null, name: string, fd: Fd | null): Place {
  const stat = fd === null ? undefined : fstatSync(fd);
  return {
    parent,
    name,
    fd,
    kind: stat === undefined ? null : stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other',
    [Symbol.dispose]() {
      for (const each of [parent, fd]) if (each !== null) closeSync(each);
    },
  };
}
