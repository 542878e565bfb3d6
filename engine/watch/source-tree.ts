/**
 * What the watched directories hold, and what has changed in them. The kernel's events only say where to look: every look
 * compares what is there with what was, so that an event too few, too many or too early changes nothing.
 *
 * A directory is watched before it is read, and watched anew where another one took its name: what appears in between is
 * either read or told. One inotify(7) watch for each directory, none for files; links are not followed.
 */
import { type BigIntStats, constants, type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';
import { basename } from 'node:path';
import type { WatchChange } from '../../schemas/watch.ts';
import { watchProblem } from './problem.ts';

/** What tells two states of an entry apart. `birth`: of directories, whose other times change with what is in them. */
export interface Entry {
  kind: 'file' | 'directory' | 'symlink';
  mode: number;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  ino: bigint;
  birthNs: bigint;
}

export interface Filter {
  takes(path: string): boolean;
  enters(directory: string): boolean;
}

interface Directory {
  watcher: FSWatcher | undefined;
  entries: Map<string, Entry>;
}

export interface TreeEvents {
  /** An entry of this path may have changed. */
  onHint(path: string): void;
  /** Something cannot be watched or read; each once. */
  onProblem(error: Error): void;
}

export class SourceTree implements Disposable {
  private readonly filter: Filter;
  private readonly events: TreeEvents;
  private readonly directories = new Map<string, Directory>();
  /** Directories that were watched anew and have to be looked through. */
  private readonly told = new Set<string>();

  constructor(filter: Filter, events: TreeEvents) {
    this.filter = filter;
    this.events = events;
  }

  /** Directories that are watched. */
  get size(): number {
    return this.directories.size;
  }

  /** Begins to watch a directory. What is in it is no change. */
  add(directory: string): void {
    if (!this.directories.has(directory)) this.enter(directory, []);
  }

  /** Looks at a path, and answers what has changed there and below. */
  update(path: string): WatchChange[] {
    const changes: WatchChange[] = [];
    // The directory itself may be meant, under its own name.
    if (this.directories.has(path)) this.refresh(path, changes, false);
    const at = path.lastIndexOf('/');
    const parent = this.directories.get(path.slice(0, at) || '/');
    if (!parent) return changes;
    const name = path.slice(at + 1);
    const wasThere = parent.entries.has(name);
    this.look(parent, path, name, changes);
    if (!wasThere && !parent.entries.has(name) && this.filter.takes(path)) {
      changes.push({ path, type: 'remove', isDirectory: false, isTransient: true });
    }
    return changes;
  }

  /** Looks at everything below a directory: the kernel may have lost events. */
  updateAll(directory: string): WatchChange[] {
    const changes: WatchChange[] = [];
    this.refresh(directory, changes, true);
    return changes;
  }

  /** What was at a path when it was looked at last. */
  entry(path: string): Entry | undefined {
    const at = path.lastIndexOf('/');
    return this.directories.get(path.slice(0, at) || '/')?.entries.get(path.slice(at + 1));
  }

  /** Everything below a path that the filter takes, directories before what is in them. */
  *entries(path: string): Generator<[path: string, entry: Entry]> {
    const own = this.entry(path);
    if (own && own.kind !== 'directory') yield [path, own];
    for (const [name, entry] of this.directories.get(path)?.entries ?? []) {
      const inner = `${path === '/' ? '' : path}/${name}`;
      if (entry.kind !== 'directory') yield [inner, entry];
      else {
        if (this.filter.takes(inner)) yield [inner, entry];
        yield* this.entries(inner);
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { watcher } of this.directories.values()) watcher?.close();
    this.directories.clear();
  }

  private enter(path: string, changes: WatchChange[]): void {
    const directory: Directory = { watcher: this.observe(path), entries: new Map() };
    this.directories.set(path, directory);
    for (const name of this.names(path)) this.look(directory, `${path === '/' ? '' : path}/${name}`, name, changes);
  }

  private observe(path: string): FSWatcher | undefined {
    const lost = (error: Error) => {
      if (isMissing(error) || this.told.has(path)) return;
      this.told.add(path);
      this.events.onProblem(watchProblem(error, path));
    };
    try {
      const own = basename(path);
      const watcher = watch(path, (_, name) => {
        if (name === null || name === own) this.events.onHint(path);
        if (name !== null) this.events.onHint(`${path === '/' ? '' : path}/${name}`);
      });
      return watcher.on('error', lost);
    } catch (error) {
      lost(error as Error);
      return undefined;
    }
  }

  private names(path: string): string[] {
    try {
      return readdirSync(path);
    } catch (error) {
      if (!isMissing(error) && !this.told.has(path)) {
        this.told.add(path);
        this.events.onProblem(watchProblem(error as Error, path));
      }
      return [];
    }
  }

  /** Compares what a directory holds with what it held, and watches it anew. */
  private refresh(path: string, changes: WatchChange[], isDeep: boolean): void {
    const directory = this.directories.get(path);
    if (!directory) return;
    directory.watcher?.close();
    directory.watcher = this.observe(path);
    for (const name of new Set([...directory.entries.keys(), ...this.names(path)])) {
      const inner = `${path === '/' ? '' : path}/${name}`;
      const isKnown = isDeep && this.directories.has(inner);
      this.look(directory, inner, name, changes);
      if (isKnown) this.refresh(inner, changes, true);
    }
  }

  private look(parent: Directory, path: string, name: string, changes: WatchChange[]): void {
    const before = parent.entries.get(name);
    const now = entryAt(path);
    const isDirectory = now?.kind === 'directory';
    const isTaken = now !== undefined && this.filter.takes(path);
    if (!now || !(isTaken || (isDirectory && this.filter.enters(path)))) {
      if (before) this.forget(parent, path, name, changes);
      return;
    }
    if (before && before.kind !== now.kind) this.forget(parent, path, name, changes);
    parent.entries.set(name, now);
    const known = before?.kind === now.kind ? before : undefined;
    if (isTaken && (!known || isChanged(known, now))) {
      changes.push({ path, type: known ? 'change' : 'add', isDirectory });
    }
    if (!isDirectory) return;
    if (!known || !this.directories.has(path)) {
      if (this.filter.enters(path)) this.enter(path, changes);
    } else if (known.ino !== now.ino || known.birthNs !== now.birthNs) this.refresh(path, changes, true);
  }

  private forget(parent: Directory, path: string, name: string, changes: WatchChange[]): void {
    const entry = parent.entries.get(name)!;
    parent.entries.delete(name);
    const directory = this.directories.get(path);
    if (directory) {
      directory.watcher?.close();
      for (const inner of [...directory.entries.keys()]) this.forget(directory, `${path}/${inner}`, inner, changes);
      this.directories.delete(path);
    }
    if (this.filter.takes(path)) changes.push({ path, type: 'remove', isDirectory: entry.kind === 'directory' });
  }
}

/** Whether two states of an entry of one kind differ. */
export function isChanged(before: Entry, now: Entry): boolean {
  if (before.mode !== now.mode) return true;
  if (now.kind === 'directory') return false;
  return (
    before.size !== now.size ||
    before.mtimeNs !== now.mtimeNs ||
    before.ctimeNs !== now.ctimeNs ||
    before.ino !== now.ino
  );
}

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

const kinds = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
] as const);

/** Undefined for nothing, and for what is not copied: sockets, pipes, devices. */
export function entryAt(path: string): Entry | undefined {
  let stat: BigIntStats | undefined;
  try {
    stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
  const kind = stat && kinds.get((Number(stat.mode) & constants.S_IFMT) as never);
  if (!stat || !kind) return undefined;
  const { size, mtimeNs, ctimeNs, ino, birthtimeNs: birthNs } = stat;
  return { kind, mode: Number(stat.mode) & 0o7777, size, mtimeNs, ctimeNs, ino, birthNs };
}
