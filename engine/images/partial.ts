/**
 * Blobs that a pull began and did not finish, kept so that the next one goes on from there: images/partial/<algorithm>-<hex>,
 * locked by who appends to it. Nothing vouches for what such a file holds: the digest of the whole blob is what counts.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { Store } from './store.ts';

const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR } = fs.constants;

/** Who has not pulled on for so long will not. Milliseconds. */
const longestRest = 7 * 24 * 60 * 60 * 1000;

/** Failures that say nothing against what came before them. */
const keptAfter = new Set<ErrorCode>([
  'plan.interrupted',
  'image.not-found',
  'image.registry-unreachable',
  'image.registry-refused',
  'image.registry-protocol',
  'image.truncated',
]);

/** Whether what came of a blob may be right although its pull ended with `code`. */
export function isKeptAfter(code: ErrorCode): boolean {
  return keptAfter.has(code);
}

export function partialPath(store: Store, digest: string): string {
  return join(store.root, 'partial', digest.replace(':', '-'));
}

/** Bytes there are; 0 where no pull left any. */
export function partialSize(store: Store, digest: string): number {
  return fs.statSync(partialPath(store, digest), { throwIfNoEntry: false })?.size ?? 0;
}

/** Opens it, or makes it, locked and counted as touched; undefined where another pull is at it. */
export function openPartial(store: Store, digest: string): Fd | undefined {
  const path = partialPath(store, digest);
  for (;;) {
    const fd = fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o644);
    const isOurs = store.verbs.tryFlock(fd, 'exclusive');
    const isThere = fs.statSync(path, { throwIfNoEntry: false })?.ino === fs.fstatSync(fd).ino;
    if (isOurs && isThere) {
      const now = new Date();
      fs.futimesSync(fd, now, now);
      return fd;
    }
    fs.closeSync(fd);
    // Otherwise it was finished or removed before the lock was there.
    if (isThere) return undefined;
  }
}

export function* partials(store: Store): Generator<{ path: string; digest: string; size: number; mtimeMs: number }> {
  for (const name of fs.readdirSync(join(store.root, 'partial'))) {
    const path = join(store.root, 'partial', name);
    const stat = fs.lstatSync(path, { throwIfNoEntry: false });
    if (stat) yield { path, digest: name.replace('-', ':'), size: stat.size, mtimeMs: stat.mtimeMs };
  }
}

/** Removes those that no pull has touched for a week. */
export function sweepPartials(store: Store, now = Date.now()): void {
  for (const { path, mtimeMs } of partials(store)) {
    if (now - mtimeMs < longestRest) continue;
    try {
      const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW);
      try {
        if (store.verbs.tryFlock(fd, 'exclusive') && now - fs.fstatSync(fd).mtimeMs >= longestRest) fs.rmSync(path);
      } finally {
        fs.closeSync(fd);
      }
    } catch {
      // Finished or removed in between.
    }
  }
}
