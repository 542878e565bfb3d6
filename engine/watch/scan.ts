/** What a rule takes of the machine at this moment, without watching it. */
import { readdirSync } from 'node:fs';
import { below, createWatchMatcher } from '../../planner/watch/matcher.ts';
import type { SyncedPaths } from '../../schemas/watch.ts';
import { type Entry, entryAt } from './source-tree.ts';

/** Entries by path below the rule's; undefined where that is not there itself. What cannot be read is left out. */
export function scan(paths: SyncedPaths): Map<string, Entry> | undefined {
  const top = entryAt(paths.path);
  if (!top) return undefined;
  const matcher = createWatchMatcher(paths);
  const entries = new Map<string, Entry>();
  const visit = (path: string, entry: Entry) => {
    const at = below(paths.path, path)!;
    if (matcher.takes(path) && (at !== '' || entry.kind !== 'directory')) entries.set(at, entry);
    if (entry.kind !== 'directory' || !matcher.enters(path)) return;
    for (const name of names(path)) {
      const inner = `${path === '/' ? '' : path}/${name}`;
      const found = entryAt(inner);
      if (found) visit(inner, found);
    }
  };
  visit(paths.path, top);
  return entries;
}

function names(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
