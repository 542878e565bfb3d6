/** Which files a COPY means, and the digest that says whether they are still the same. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, readSync } from 'node:fs';
import { hasWildcard } from '../../planner/dockerfile/graph/copy-paths.ts';
import { matchGlob } from '../../planner/dockerfile/ignore/glob.ts';
import { createIgnoreMatcher } from '../../planner/dockerfile/ignore/ignore.ts';
import type { CopyPaths } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { fileStat } from '../images/stat.ts';
import { isCopied } from '../volumes/tree.ts';
import { openFile, openPlain, resolvePath } from './resolve.ts';
import { everything, type Filter, type Found, kindOf, paced, walk } from './walk.ts';

const { O_DIRECTORY, O_RDONLY } = constants;

/** Files to copy from: a context or a tree. */
export interface Source {
  /** Open directory. */
  root: Fd;
  /** Of a context: what its ignore file leaves; paths relative to the root. */
  filter?: Filter | undefined;
  /** Owners are 0:0 whatever the files say: they are those of whoever's machine this is. */
  isContext: boolean;
  /** {@link fileDigest}, which may be had without reading the file. */
  digest?(found: Found, path: string): string;
  /** Told what is selected, and of each file and directory in it, by its path in the source, all that counts of it. */
  noteWanted?(wanted: CopyPaths, exclude: string[]): void;
  noteFound?(path: string, state: string): void;
}

/** One file or directory that is copied. */
export interface Item {
  source: Source;
  /** In the source, without links; '' for its root. */
  path: string;
  /** What it is called where it goes. */
  name: string;
  isDirectory: boolean;
  /** Of a directory: relative to it. */
  filter: Filter;
}

/** @throws StackError build.not-found for what is not there, or left out by the ignore file */
export function select(verbs: FilesystemVerbs, source: Source, wanted: CopyPaths, exclude: string[]): Item[] {
  source.noteWanted?.(wanted, exclude);
  const written = wanted.wildcard ? expand(verbs, source, wanted.path) : [wanted.path];
  const items = written.flatMap((path) => item(verbs, source, wanted, path, exclude) ?? []);
  const mayBeEmpty = wanted.wildcard && wanted.emptyAllowed && hasWildcard(wanted.path);
  if (items.length === 0 && !mayBeEmpty) throw notFound(wanted.path, source);
  return items;
}

function item(
  verbs: FilesystemVerbs,
  source: Source,
  wanted: CopyPaths,
  path: string,
  exclude: string[],
): Item | undefined {
  const { path: real, kind } = resolvePath(verbs, source.root, path, wanted.followSymlinks);
  if (kind === undefined) return undefined;
  const isDirectory = kind === 'directory';
  const { filter } = source;
  if (real !== '' && filter && !filter.includes(real) && !(isDirectory && filter.enters(real))) return undefined;
  const excluded = createIgnoreMatcher(exclude);
  const name = path.split('/').filter(Boolean).at(-1) ?? '';
  if (!isDirectory)
    return excluded.ignores(name) ? undefined : { source, path: real, name, isDirectory, filter: everything };
  const included = wanted.include && createIgnoreMatcher(wanted.include);
  const isWhole = !filter && !included && exclude.length === 0;
  if (isWhole) return { source, path: real, name, isDirectory, filter: everything };
  const full = (inner: string) => (real && inner ? `${real}/${inner}` : real || inner);
  return {
    source,
    path: real,
    name,
    isDirectory,
    filter: {
      includes: (inner) =>
        (inner === '' || !excluded.ignores(inner)) &&
        (inner === '' ? included === undefined : (included?.ignores(inner) ?? true)) &&
        (full(inner) === '' || (filter?.includes(full(inner)) ?? true)),
      enters: (inner) =>
        (!excluded.ignores(inner) || excluded.entersIgnored(inner)) && (filter?.enters(full(inner)) ?? true),
    },
  };
}

const isPattern = (path: string) => /[*?[\\]/.test(path);

/** Paths that a pattern of filepath.Match means, sorted. */
function expand(verbs: FilesystemVerbs, { root, filter }: Source, pattern: string): string[] {
  let found = [''];
  for (const part of pattern.split('/').filter(Boolean)) {
    found = found.flatMap((base) => {
      const path = (name: string) => (base ? `${base}/${name}` : name);
      if (!isPattern(part)) return [path(part)];
      const real = resolvePath(verbs, root, base);
      if (real.kind !== 'directory') return [];
      const fd = verbs.openat2(root, real.path || '.', { flags: O_RDONLY | O_DIRECTORY, resolve: 0x08 | 0x04 });
      try {
        return verbs
          .readdir(fd)
          .filter((name) => matchGlob(part, name))
          .sort()
          .map(path);
      } finally {
        closeSync(fd);
      }
    });
  }
  return found.filter((path) => {
    const { path: real, kind } = resolvePath(verbs, root, path, false);
    return (
      kind !== undefined &&
      (filter === undefined || filter.includes(real) || (kind === 'directory' && filter.enters(real)))
    );
  });
}

function notFound(path: string, { isContext }: Source): StackError {
  return new StackError('build.not-found', {
    message: `${path} is not in the ${isContext ? 'build context' : 'stage or image it is copied from'}.`,
    hint: isContext
      ? 'Check the name; it may also be left out by .dockerignore. Paths are relative to the context, and nothing outside of it can be copied.'
      : 'Check the name and the stage.',
  });
}

/** Visits everything an item stands for; a single file is found as '' in the directory it lies in. */
export function* visitItem(
  verbs: FilesystemVerbs,
  { source, path, isDirectory, filter }: Item,
  visitor: Parameters<typeof walk>[2],
): Generator<undefined, void> {
  const slash = path.lastIndexOf('/');
  const at = isDirectory ? path : path.slice(0, Math.max(slash, 0));
  const directory = verbs.openat2(source.root, at || '.', { flags: O_RDONLY | O_DIRECTORY, resolve: 0x08 | 0x04 });
  try {
    if (isDirectory) {
      yield* walk(verbs, directory, visitor, filter);
      return;
    }
    const fd = openPlain(verbs, source.root, path);
    if (fd === undefined) throw notFound(path, source);
    const stat = fileStat(fd);
    closeSync(fd);
    visitor.visit({ path: '', parent: directory, name: path.slice(slash + 1), kind: kindOf(stat), stat });
  } finally {
    closeSync(directory);
  }
}

/** Characters that are fed to a hash at once. */
const portion = 64 * 1024;

/**
 * Feeds a hash with all that matters of an item: names, kinds, modes, owners of what is no context, attributes, contents.
 * Times do not: a file that was touched is the same.
 */
export async function digestItem(verbs: FilesystemVerbs, item: Item, hash: Hash, signal: AbortSignal): Promise<void> {
  const { source } = item;
  // As JSON: no name, target or value, whatever bytes are in it, can be taken for another entry.
  let notes = JSON.stringify(['item', item.name, item.isDirectory]);
  const prefix = item.path && `${item.path}/`;
  /** Paths of files with several names. */
  const links = new Map<string, string>();
  const note = (found: Found) => {
    const { path, parent, name, kind, stat } = found;
    const full = path ? prefix + path : item.path;
    const state = JSON.stringify([
      kind,
      kind === 'symlink' ? '' : (stat.mode & 0o7777).toString(8),
      source.isContext ? '' : `${stat.uid}:${stat.gid}`,
      kind === 'char' || kind === 'block' ? String(stat.rdev) : '',
      kind === 'symlink' ? verbs.readlinkat(parent, name) : '',
      kind === 'file' ? (source.digest?.(found, full) ?? fileDigest(verbs, found)) : attributesOf(verbs, found),
      kind !== 'directory' && stat.nlink > 1 ? firstOf(links, found) : '',
    ]);
    source.noteFound?.(full, state);
    notes += JSON.stringify(path) + state;
    if (notes.length < portion) return;
    hash.update(notes);
    notes = '';
  };
  await paced(visitItem(verbs, item, { visit: note, enter: note, leave: () => {} }), signal);
  hash.update(notes);
}

type Attributes = [name: string, base64: string][];

/** Extended attributes that are copied. */
function attributesOf(verbs: FilesystemVerbs, { parent, name }: Pick<Found, 'parent' | 'name'>): Attributes {
  const attributes = verbs.llistxattr(parent, name).filter(isCopied).sort();
  const value = (attribute: string) => Buffer.from(verbs.lgetxattr(parent, name, attribute)).toString('base64');
  return attributes.map((attribute) => [attribute, value(attribute)]);
}

/** What a file is beyond its stat: digest of its content, and its attributes. A change of either changes its ctime. */
export function fileDigest(verbs: FilesystemVerbs, found: Pick<Found, 'parent' | 'name'>): string {
  const attributes = attributesOf(verbs, found);
  const content = contentDigest(verbs, found);
  return attributes.length > 0 ? JSON.stringify([content, attributes]) : content;
}

/** Path of another name of the same file that came before, '' for the first: they stay one file when they are copied. */
function firstOf(links: Map<string, string>, { path, stat }: Found): string {
  const key = `${stat.dev}:${stat.ino}`;
  const first = links.get(key);
  if (first === undefined) links.set(key, path);
  return first ?? '';
}

const buffer = Buffer.allocUnsafe(256 * 1024);
const readInto = (fd: Fd) => readSync(fd, buffer);

export function contentDigest(verbs: FilesystemVerbs, { parent, name }: Pick<Found, 'parent' | 'name'>): string {
  const fd = openFile(verbs, parent, name);
  try {
    const hash = createHash('sha256');
    for (let size = readInto(fd); size > 0; size = readInto(fd)) hash.update(buffer.subarray(0, size));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
