/**
 * What a service's containers were given beyond their image, kept on disk: for each rule that copies, the state of its files
 * when they were looked at last, and which of them a new container must be given. A manifest that is older than what happened
 * since, of a watcher that was killed, only lets more be copied.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createWatchMatcher } from '../../planner/watch/matcher.ts';
import type { SyncedPaths } from '../../schemas/watch.ts';
import type { Host } from '../host.ts';
import type { Delivery } from './deliver.ts';
import { type Entry, isChanged } from './source-tree.ts';

export interface SyncedRoot {
  paths: SyncedPaths;
  known: Map<string, Entry>;
  /** Paths that a new container must be given, or must not have: what is not there any more. */
  synced: Set<string>;
}

type Row = [path: string, kind: Entry['kind'], mode: number, size: string, mtime: string, ctime: string, ino: string];

interface Written {
  format: 1;
  roots: { paths: SyncedPaths; known: Row[]; synced: string[] }[];
}

const fileOf = ({ layout }: Pick<Host, 'layout'>, stack: string, service: string) =>
  `${layout.watchDir(stack)}/${service}.json`;

/** Undefined where there is none, or none that can be read: it was not there then. */
export function readManifest(host: Pick<Host, 'layout'>, stack: string, service: string): SyncedRoot[] | undefined {
  try {
    const { format, roots } = JSON.parse(readFileSync(fileOf(host, stack, service), 'utf8')) as Written;
    if (format !== 1) return undefined;
    return roots.map(({ paths, known, synced }) => ({
      paths,
      synced: new Set(synced),
      known: new Map(
        known.map(([path, kind, mode, size, mtime, ctime, ino]) => {
          const times = { mtimeNs: BigInt(mtime), ctimeNs: BigInt(ctime), birthNs: 0n };
          return [path, { kind, mode, size: BigInt(size), ino: BigInt(ino), ...times }] as const;
        }),
      ),
    }));
  } catch {
    return undefined;
  }
}

/** Replaced as a whole. */
export function writeManifest(host: Pick<Host, 'layout'>, stack: string, service: string, roots: SyncedRoot[]): void {
  const path = fileOf(host, stack, service);
  if (roots.length === 0) {
    rmSync(path, { force: true });
    return;
  }
  const written: Written = {
    format: 1,
    roots: roots.map(({ paths, known, synced }) => ({
      paths,
      synced: [...synced],
      known: [...known].map(([at, { kind, mode, size, mtimeNs, ctimeNs, ino }]) => {
        return [at, kind, mode, `${size}`, `${mtimeNs}`, `${ctimeNs}`, `${ino}`];
      }),
    })),
  };
  mkdirSync(host.layout.watchDir(stack), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, JSON.stringify(written), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Takes the files as they are now, and answers the paths that are not what they were. */
export function takeOver(root: SyncedRoot, now: Map<string, Entry>): Set<string> {
  const changed = new Set<string>();
  for (const [path, entry] of now) {
    const before = root.known.get(path);
    if (!before || before.kind !== entry.kind || isChanged(before, entry)) changed.add(path);
  }
  const { takes } = createWatchMatcher(root.paths);
  for (const path of root.known.keys()) {
    // What a rule no longer takes was not removed.
    if (!now.has(path) && takes(path === '' ? root.paths.path : `${root.paths.path}/${path}`)) changed.add(path);
  }
  root.known = now;
  for (const path of changed) root.synced.add(path);
  return changed;
}

/** Everything a container must be given. */
export const deliveriesOf = ({ paths, known, synced }: SyncedRoot, changed: Set<string>): Delivery[] =>
  [...synced].map((path) => {
    return { from: paths.path, to: paths.target, path, isChanged: changed.has(path), isGone: !known.has(path) };
  });
