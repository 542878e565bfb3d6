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

/** Something that can be removed to make room. */
export interface Spare {
  /** Unique among its like. */
  key: string;
  /** What it has, with the bytes each takes of the disk; what others have too is free with the last of them. */
  parts: Map<string, number>;
  /** ms since the epoch. */
  lastUsed: number;
  isUsed: boolean;
  /** Under the gate, taken alone. */
  remove(): void;
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
 * @param listSpare what else there is to remove, in the same order by last use: the build cache.
 */
export async function gc(
  store: Store,
  layout: Layout,
  list: () => StoredImage[],
  keep: number,
  signal?: AbortSignal,
  listSpare: () => Spare[] = () => [],
): Promise<Pruned & { total: number }> {
  const first = await collect(store, layout, undefined, signal);
  const look = () => {
    const { images, total } = usage(store, layout, list());
    const spare = listSpare();
    const known = new Map(images.flatMap(({ parts }) => [...parts]));
    const more = new Map(spare.flatMap(({ parts }) => [...parts].filter(([part]) => !known.has(part))));
    return { images, spare, total: total + [...more.values()].reduce((sum, bytes) => sum + bytes, 0) };
  };
  const before = look();
  const items = [...before.images.map((each) => ({ ...asSpare(each), image: each.image as StoredImage | undefined }))];
  const chosen = leastRecentlyUsed(
    [...items, ...before.spare.map((each) => ({ ...each, image: undefined }))],
    before.total - keep,
  );
  const meant = chosen.flatMap(({ image }) => image ?? []);
  const pruned = await drop(store, layout, meant, signal, chosen);
  const deleted = [...first.deleted, ...pruned.deleted];
  const { total } = look();
  return { ...pruned, deleted, bytes: first.bytes + pruned.bytes, total };
}

const asSpare = ({ image, parts, lastUsed, users, isLeased }: ImageUsage): Spare => ({
  key: image.id,
  parts,
  lastUsed,
  isUsed: users.length > 0 || isLeased,
  remove() {},
});

/** As few as free `excess` bytes in that order; what images share is free with the last of them. */
export function leastRecentlyUsed<T extends Spare>(items: T[], excess: number): T[] {
  const counts = new Map<string, number>();
  for (const { parts } of items) for (const part of parts.keys()) counts.set(part, (counts.get(part) ?? 0) + 1);
  const candidates = items.filter(({ isUsed }) => !isUsed);
  candidates.sort((a, b) => a.lastUsed - b.lastUsed || (a.key < b.key ? -1 : 1));
  const chosen: T[] = [];
  let left = excess;
  for (const item of candidates) {
    if (left <= 0) break;
    for (const [part, bytes] of item.parts) {
      const count = counts.get(part)! - 1;
      counts.set(part, count);
      if (count === 0) left -= bytes;
    }
    chosen.push(item);
  }
  return chosen;
}

/** Looks once more under the gate: who has come to use one in between keeps it. */
async function drop(
  store: Store,
  layout: Layout,
  meant: StoredImage[],
  signal?: AbortSignal,
  spare: Spare[] = [],
): Promise<Pruned> {
  const untagged: string[] = [];
  const { deleted, bytes } = await collect(
    store,
    layout,
    (manifests, uses) => {
      const gone = new Set(meant.filter((image) => isFree(image, uses)).map(({ manifestDigest }) => manifestDigest));
      for (const { remove } of spare) remove();
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
