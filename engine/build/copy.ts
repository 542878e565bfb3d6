/** COPY and ADD: files put on top of a tree. */
import { closeSync, constants, writeSync } from 'node:fs';
import type { CopyOperation } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { changeMode } from './mode.ts';
import { CopyBatch, clear, copyEntry, kindAt, type Override, openDirectory, setMetadata } from './place.ts';
import { resolvePath } from './resolve.ts';
import { type Item, type Source, select, visitItem } from './select.ts';
import { type Found, paced } from './walk.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/** A source as it was found: files, or a text that is one. */
export type Selected =
  | { type: 'item'; item: Item; contentsOnly: boolean; keepsPath: boolean; unpack: boolean }
  | { type: 'inline'; name: string; content: string };

/** @param sourceOf the files an input number stands for. */
export function selectAll(
  verbs: FilesystemVerbs,
  operation: CopyOperation,
  sourceOf: (input: number) => Source,
): Selected[] {
  return operation.sources.flatMap((source): Selected[] => {
    if (source.type === 'inline') return [source];
    const items = select(verbs, sourceOf(source.input), source, operation.exclude);
    return items.map((item) => ({
      type: 'item',
      item,
      contentsOnly: source.contentsOnly,
      keepsPath: source.include !== undefined,
      unpack: source.unpack,
    }));
  });
}

export interface Copying {
  verbs: FilesystemVerbs;
  /** The tree, open to be written into (NewLayer.mount). */
  root: Fd;
  destination: string;
  /** Owner of everything, where asked for. */
  owner: { uid: number; gid: number } | undefined;
  chmod: string | undefined;
  /** Nanoseconds since 1970, of what has no time of its own. */
  nowNs: bigint;
  signal: AbortSignal;
}

/** @throws StackError build.path where one is a file and the other a directory */
export async function copyAll(copying: Copying, selected: Selected[]): Promise<void> {
  const { destination, verbs, root } = copying;
  const isMany = selected.length > 1;
  for (const one of selected) {
    const isContents = one.type === 'item' && one.item.isDirectory && one.contentsOnly;
    const resolved = resolvePath(verbs, root, destination);
    const isInto = destination.endsWith('/') || isMany || resolved.kind === 'directory';
    if (one.type === 'inline') {
      const { directory, name } = placeFor(copying, isInto ? `${destination}/${one.name}` : destination);
      writeInline(copying, directory, name, one.content);
      closeSync(directory);
    } else if (isContents) await copyContents(copying, one.item, destination, one.keepsPath ? 'parts' : 'contents');
    else if (one.unpack && (await import('./unpack.ts')).isArchive(verbs, one.item)) {
      const { unpack } = await import('./unpack.ts');
      const directory = makeDirectories(copying, destination);
      try {
        await unpack(copying, one.item, directory);
      } finally {
        closeSync(directory);
      }
    } else if (one.item.isDirectory) {
      await copyContents(copying, one.item, `${destination}/${one.item.name}`, 'itself');
    } else {
      const { directory, name } = placeFor(copying, isInto ? `${destination}/${one.item.name}` : destination);
      try {
        await copyOne(copying, one.item, directory, name);
      } finally {
        closeSync(directory);
      }
    }
  }
}

/** A number alone is the group's too. Source: Dockerfile reference, "COPY --chown". */
export const withGroup = (chown: string) => (/^\d+$/.test(chown) ? `${chown}:${chown}` : chown);

const overrideOf = ({ owner, chmod }: Copying, item?: Item): Override => {
  const own = owner ?? (item?.source.isContext ? { uid: 0, gid: 0 } : {});
  return { ...own, ...(chmod ? { mode: changeMode(chmod) } : {}) };
};

async function copyOne(copying: Copying, item: Item, directory: Fd, name: string): Promise<void> {
  const { verbs, signal } = copying;
  const steps = visitItem(verbs, item, {
    visit(found) {
      clear(verbs, directory, name, `/${item.path}`);
      copyEntry(verbs, found, directory, name, overrideOf(copying, item));
    },
    enter() {},
    leave() {},
  });
  await paced(steps, signal);
}

/**
 * What lies in a directory into the directory `destination`, which gets no more of the source than its time: as in docker,
 * one that is made has mode 0755 and the asked-for owner, and one that exists keeps its own.
 * @param kind `itself`: the directory is copied under its name, with owner and mode; `parts`: what is included of it alone.
 */
async function copyContents(
  copying: Copying,
  item: Item,
  destination: string,
  kind: 'contents' | 'itself' | 'parts',
): Promise<void> {
  const { verbs, root } = copying;
  const over = overrideOf(copying, item);
  const existed = resolvePath(verbs, root, destination).kind === 'directory';
  const open: { fd: Fd; gets: 'all' | 'times' | 'nothing'; isNew: boolean }[] = [];
  /** First places of files with several names. */
  const links = new Map<string, { path: string[] }>();
  const top = makeDirectories(copying, destination);
  const ofTop = kind === 'itself' && !existed ? 'all' : kind === 'contents' ? 'times' : 'nothing';
  const batch = new CopyBatch(verbs, over);
  const visit = (found: Found) => {
    const directory = open.at(-1)?.fd ?? top;
    const path = found.path.split('/');
    // Nothing is in the way where this copy made the directory.
    if (!(open.at(-1)?.isNew ?? !existed)) clear(verbs, directory, found.name, `/${item.path}/${found.path}`);
    const { dev, ino, nlink } = found.stat;
    if (found.kind === 'file' && nlink === 1) {
      batch.add(found, directory);
      return;
    }
    const key = `${dev}:${ino}`;
    const first = nlink > 1 ? links.get(key) : undefined;
    if (first) {
      const from = openBelow(verbs, top, first.path.slice(0, -1));
      try {
        verbs.linkat(from, first.path.at(-1)!, directory, found.name);
      } finally {
        closeSync(from);
      }
      return;
    }
    if (nlink > 1) links.set(key, { path });
    copyEntry(verbs, found, directory, found.name, over);
  };
  try {
    const steps = visitItem(verbs, item, {
      visit,
      enter(found) {
        batch.flush();
        if (found.path === '') open.push({ fd: top, gets: ofTop, isNew: !existed });
        else {
          const parent = open.at(-1)?.fd ?? top;
          const [fd, isNew] = openDirectory(verbs, parent, found.name, `/${item.path}/${found.path}`);
          open.push({ fd, gets: 'all', isNew });
        }
      },
      leave(found) {
        batch.flush();
        const { fd, gets } = open.pop()!;
        if (gets === 'all') setMetadata(verbs, found, fd, '', over);
        else if (gets === 'times') verbs.utimensat(fd, '', found.stat.atimeNs, found.stat.mtimeNs);
        if (fd !== top) closeSync(fd);
      },
    });
    await paced(steps, copying.signal);
  } finally {
    for (const { fd } of open) if (fd !== top) closeSync(fd);
    closeSync(top);
  }
}

function openBelow(verbs: FilesystemVerbs, root: Fd, path: string[]): Fd {
  // BENEATH, without links: the way was made by this copy.
  return verbs.openat2(root, path.join('/') || '.', { flags: O_RDONLY | O_DIRECTORY, resolve: 0x08 | 0x04 });
}

/** The directory a file goes into, made where it is missing, and the file's name there. The caller closes it. */
function placeFor(copying: Copying, path: string): { directory: Fd; name: string } {
  const { verbs, root } = copying;
  const { path: real, kind } = resolvePath(verbs, root, path);
  const slash = real.lastIndexOf('/');
  const name = real.slice(slash + 1);
  if (name === '' || kind === 'directory') {
    throw new StackError('build.path', {
      message: `${path} is a directory: a file cannot take its place.`,
      hint: 'Give the destination a name, or a slash at its end to copy into it.',
    });
  }
  return { directory: makeDirectories(copying, `/${real.slice(0, Math.max(slash, 0))}`), name };
}

/** Opens a directory of the tree, and makes what is missing of its way: mode 0755, the asked-for owner. */
export function makeDirectories(copying: Copying, path: string, mode = 0o755): Fd {
  const { verbs, root, owner, nowNs } = copying;
  const { path: real, depth, kind } = resolvePath(verbs, root, path);
  if (kind === 'other') {
    throw new StackError('build.path', {
      message: `${path} is a file: nothing can be put below it.`,
      hint: 'Choose another destination.',
    });
  }
  const parts = real.split('/').filter(Boolean);
  let directory = openBelow(verbs, root, parts.slice(0, depth));
  for (const name of parts.slice(depth)) {
    let inner: Fd;
    try {
      verbs.mkdirat(directory, name, 0o700);
      inner = verbs.openat2(directory, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
      verbs.fchownat(inner, '', owner?.uid ?? 0, owner?.gid ?? 0);
      verbs.fchmod(inner, mode);
      verbs.utimensat(inner, '', nowNs, nowNs);
    } catch (thrown) {
      if ((thrown as KernelError).code !== 'ENOTDIR') throw thrown;
      throw new StackError('build.path', {
        message: `${path} leads through a file.`,
        hint: 'Choose another destination.',
      });
    } finally {
      closeSync(directory);
    }
    directory = inner;
  }
  return directory;
}

function writeInline(copying: Copying, directory: Fd, name: string, content: string): void {
  const { verbs, nowNs } = copying;
  if (kindAt(verbs, directory, name) !== undefined) clear(verbs, directory, name, name);
  const fd = verbs.openat2(directory, name, { flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 });
  try {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    const { uid = 0, gid = 0, mode } = overrideOf(copying);
    verbs.fchownat(fd, '', uid, gid);
    verbs.fchmod(fd, mode?.(0o644, false) ?? 0o644);
    verbs.utimensat(fd, '', nowNs, nowNs);
  } finally {
    closeSync(fd);
  }
}
