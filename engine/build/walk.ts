/** Walks a directory by descriptors, in order of name, without following a link: what a container put there cannot lead out. */
import { closeSync, constants } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { fileStat, listedStats, type Stat } from '../images/stat.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFMT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } = constants;
const O_PATH = 0o10000000;

export type Kind = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

export interface Found {
  /** Relative to where the walk began; '' is that directory itself. */
  path: string;
  /** Directory it lies in, open while it is visited, and its name there. For '' the directory itself and ''. */
  parent: Fd;
  name: string;
  kind: Kind;
  stat: Stat;
}

export interface Visitor {
  /** Anything but a directory. */
  visit(found: Found): void;
  /** A directory, before what lies in it. */
  enter(found: Found): void;
  leave(found: Found): void;
}

/** What a walk takes; paths are relative to where it began. */
export interface Filter {
  includes(path: string): boolean;
  /** Whether something below a directory may be included. */
  enters(directory: string): boolean;
}

export const everything: Filter = { includes: () => true, enters: () => true };

const kinds = new Map<number, Kind>([
  [S_IFREG, 'file'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
  [S_IFCHR, 'char'],
  [S_IFBLK, 'block'],
  [S_IFIFO, 'fifo'],
]);

export const kindOf = ({ mode }: Pick<Stat, 'mode'>): Kind => kinds.get(Number(mode) & S_IFMT) ?? 'socket';

/** Of `name` in a directory, of the directory itself for ''. @throws ENOENT */
export function statAt(verbs: FilesystemVerbs, parent: Fd, name: string): Stat {
  if (name !== '') return listedStats(verbs, parent, [name])[0]!;
  const fd = verbs.openat2(parent, '.', { flags: O_PATH | O_NOFOLLOW });
  try {
    return fileStat(fd);
  } finally {
    closeSync(fd);
  }
}

/** Entries that are looked at in one call: a directory may have very many, and Ctrl-C waits for so long. */
const atOnce = 1024;

/**
 * Visits what is below `root` (an open directory, which stays open) and the filter takes. A directory that the filter
 * leaves out is entered only for what it takes below it, and visited just before that. A step for each: see {@link paced}.
 */
export function* walk(
  verbs: FilesystemVerbs,
  root: Fd,
  visitor: Visitor,
  filter: Filter = everything,
): Generator<undefined, void> {
  /** Directories on the way that were left out and not visited yet. */
  const pending: Found[] = [];
  const announce = () => {
    if (pending.length === 0) return;
    for (const found of pending.splice(0)) visitor.enter(found);
  };
  const inside = function* (found: Found, directory: Fd, isIncluded: boolean): Generator<undefined, void> {
    if (isIncluded) {
      announce();
      visitor.enter(found);
    } else pending.push(found);
    const prefix = found.path && `${found.path}/`;
    const all = verbs.readdir(directory);
    const entered = filter === everything ? all : all.filter((name) => takes(prefix + name));
    entered.sort();
    for (let at = 0; at < entered.length; at += atOnce) {
      const names = entered.slice(at, at + atOnce);
      const stats = listedStats(verbs, directory, names);
      for (const [index, name] of names.entries()) {
        yield;
        const stat = stats[index]!;
        const inner = { path: prefix + name, parent: directory, name, kind: kindOf(stat), stat };
        if (inner.kind === 'directory') yield* below(inner);
        else if (filter.includes(inner.path)) {
          announce();
          visitor.visit(inner);
        }
      }
    }
    if (pending.at(-1) === found) pending.pop();
    else visitor.leave(found);
  };
  const takes = (path: string) => filter.includes(path) || filter.enters(path);
  const below = function* (found: Found): Generator<undefined, void> {
    const directory = verbs.openat2(found.parent, found.name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
    try {
      yield* inside(found, directory, filter.includes(found.path));
    } finally {
      closeSync(directory);
    }
  };
  const stat = statAt(verbs, root, '');
  yield* inside({ path: '', parent: root, name: '', kind: 'directory', stat }, root, filter.includes(''));
}

/** Milliseconds that a walk takes at a time: output of other steps, and Ctrl-C, wait for so long. */
const pace = 50;

/** Goes through the steps of a walk, and lets others work in between. @throws the signal's reason */
export async function paced(steps: Iterable<undefined>, signal: AbortSignal): Promise<void> {
  let begun = performance.now();
  for (const _ of steps) {
    if (performance.now() - begun < pace) continue;
    await setImmediate();
    signal.throwIfAborted();
    begun = performance.now();
  }
}
