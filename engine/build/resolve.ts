/** Paths of a tree with their links followed inside it, as a container rooted there would follow them. */
import { closeSync, constants, fstatSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, S_IFREG, S_IFMT, S_IFLNK, S_IFDIR } = constants;
const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
/** MAXSYMLINKS of Linux. */
const mostLinks = 40;

export interface Resolved {
  /** Without links and without a first slash; '' for the root. */
  path: string;
  /** How many of its components exist. */
  depth: number;
  /** Of what is there, where all of it exists. */
  kind?: 'directory' | 'other';
}

export const components = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

/** An O_PATH descriptor of `path`, the last component not followed and no other one a link; undefined where it is not. */
export function openPlain(verbs: FilesystemVerbs, root: Fd, path: string): Fd | undefined {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  try {
    return verbs.openat2(root, path || '.', { flags: O_PATH | O_NOFOLLOW, resolve });
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw thrown;
  }
}

/**
 * Opens what was a regular file when it was looked at. Whoever else writes there may have put a fifo in its place since, of
 * which an open would wait for ever, or a device. @throws StackError build.context
 */
export function openFile(verbs: FilesystemVerbs, parent: Fd, path: string): Fd {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const fd = verbs.openat2(parent, path, { flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, resolve });
  if ((fstatSync(fd).mode & S_IFMT) === S_IFREG) return fd;
  closeSync(fd);
  throw new StackError('build.context', {
    message: `${path} is no file any more: it was changed while it was read.`,
    hint: 'Build again when nothing changes the context.',
  });
}

/**
 * Follows the links of every component (of the last one only with `followLast`). `..` stops at the root. What does not
 * exist is taken as written. `root` undefined is an empty tree.
 * @throws StackError build.path where links lead in a circle
 */
export function resolvePath(verbs: FilesystemVerbs, root: Fd | undefined, path: string, followLast = true): Resolved {
  const todo = components(path);
  const done: string[] = [];
  let depth = 0;
  let links = 0;
  let kind: Resolved['kind'] = 'directory';
  while (todo.length > 0) {
    const name = todo.shift()!;
    if (name === '..') {
      done.pop();
      depth = Math.min(depth, done.length);
      continue;
    }
    const at = [...done, name].join('/');
    const fd = root === undefined || depth < done.length ? undefined : openPlain(verbs, root, at);
    done.push(name);
    if (fd === undefined) continue;
    try {
      const type = fstatSync(fd).mode & S_IFMT;
      if (type === S_IFLNK && (followLast || todo.length > 0)) {
        if (++links > mostLinks) {
          throw new StackError('build.path', {
            message: `The links of ${path} lead in a circle.`,
            hint: 'Name the file itself.',
          });
        }
        const target = verbs.readlinkat(fd, '');
        done.pop();
        if (target.startsWith('/')) done.length = 0;
        depth = done.length;
        todo.unshift(...components(target));
        continue;
      }
      depth = done.length;
      kind = type === S_IFDIR ? 'directory' : 'other';
    } finally {
      closeSync(fd);
    }
  }
  const resolved: Resolved = { path: done.join('/'), depth };
  if (root !== undefined && depth === done.length) resolved.kind = kind;
  return resolved;
}
