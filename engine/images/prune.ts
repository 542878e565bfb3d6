/** Making room: images nobody uses, all of a kind (`prune`) or the least recently used ones until enough is free (`gc`). */
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Layout } from '../state/layout.ts';
import { collect, type Uses } from './collect.ts';
import { namesOf, usersOf } from './remove.ts';
import type { Store } from './store.ts';
import { type ImageUsage, usage } from './usage.ts';

export interface Pruned {
  /** Normalised names that are gone. */
  untagged: string[];
  deleted: string[];
  bytes: number;
}

/** Removes the images that `isMeant` answers true for, as long as nobody uses them, and whatever nothing refers to. */
export async function prune(
  store: Store,
  layout: Layout,
  images: StoredImage[],
  isMeant: (image: StoredImage) => boolean,
  signal?: AbortSignal,
): Promise<Pruned> {
  const meant = images.filter(isMeant);
  return drop(store, layout, meant, signal);
}

/**
 * Removes unused images, the least recently used first, until the store takes at most `keep` bytes of disk or only used ones
 * are left. Used are those of containers, running or not, of any stack, and those of commands at work.
 */
export async function gc(
  store: Store,
  layout: Layout,
  list: () => StoredImage[],
  keep: number,
  signal?: AbortSignal,
): Promise<Pruned & { total: number }> {
  const first = await collect(store, layout, undefined, signal);
  const before = usage(store, layout, list());
  const meant = leastRecentlyUsed(before.images, before.total - keep);
  const pruned = await drop(store, layout, meant, signal);
  const deleted = [...first.deleted, ...pruned.deleted];
  const { total } = usage(store, layout, list());
  return { ...pruned, deleted, bytes: first.bytes + pruned.bytes, total };
}

/** As few as free `excess` bytes in that order; what images share is free with the last of them. */
export function leastRecentlyUsed(images: ImageUsage[], excess: number): StoredImage[] {
  const counts = new Map<string, number>();
  for (const { parts } of images) for (const part of parts.keys()) counts.set(part, (counts.get(part) ?? 0) + 1);
  const candidates = images.filter(({ users, isLeased }) => users.length === 0 && !isLeased);
  candidates.sort((a, b) => a.lastUsed - b.lastUsed || (a.image.id < b.image.id ? -1 : 1));
  const chosen: StoredImage[] = [];
  let left = excess;
  for (const { image, parts } of candidates) {
    if (left <= 0) break;
    for (const [part, bytes] of parts) {
      const count = counts.get(part)! - 1;
      counts.set(part, count);
      if (count === 0) left -= bytes;
    }
    chosen.push(image);
  }
  return chosen;
}

/** Looks once more under the gate: who has come to use one in between keeps it. */
async function drop(store: Store, layout: Layout, meant: StoredImage[], signal?: AbortSignal): Promise<Pruned> {
  const untagged: string[] = [];
  const { deleted, bytes } = await collect(
    store,
    layout,
    (manifests, uses) => {
      const gone = new Set(meant.filter((image) => isFree(image, uses)).map(({ manifestDigest }) => manifestDigest));
      for (const digest of gone) untagged.push(...namesOf(manifests, digest));
      return manifests.filter(({ digest }) => !gone.has(digest));
    },
    signal,
  );
  return { untagged, deleted, bytes };
}

function isFree(image: StoredImage, uses: Uses): boolean {
  return usersOf(image, uses).length === 0 && !uses.leased.has(image.manifestDigest);
}
