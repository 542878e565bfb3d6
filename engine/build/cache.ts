/** The build cache as a whole: what is in it, and making room. Steps name layers of the store; cache mounts lie beside it. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CachedStep, cachedSteps } from '../images/build-cache.ts';
import { collect, neededDigests } from '../images/collect.ts';
import { tryLock } from '../images/locks.ts';
import { layerSize, measure } from '../images/measure.ts';
import { leastRecentlyUsed, type Spare } from '../images/prune.ts';
import { removeTree } from '../images/remove-tree.ts';
import type { Store } from '../images/store.ts';
import { imageUsers } from '../images/users.ts';
import type { Layout } from '../state/layout.ts';
import { forgetTurns } from './turns.ts';

export interface CacheItem extends Spare {
  kind: 'step' | 'mount';
  /** Bytes of disk, those of images and containers included. */
  size: number;
  /** An image or a container has its layers too: without it no disk is free. */
  isShared: boolean;
}

export interface CachePruning {
  /** Those that images and containers share, too. */
  isAll: boolean;
  /** ms since the epoch: only what was last used before. */
  before?: number;
  /** Bytes the cache may go on taking; the least recently used goes first. All goes where absent. */
  keep?: number;
}

export interface CachePruned {
  /** Keys of steps and names of cache mounts. */
  deleted: string[];
  bytes: number;
}

/** Everything in the cache, least recently used first. */
export function cacheItems(store: Store, layout: Layout): CacheItem[] {
  store.prepare();
  const leased = store.leased();
  const others = neededDigests(store, new Set(), imageUsers(layout), new Set());
  const steps = cachedSteps(layout).map((step) => stepItem(store, step, leased, others));
  return [...steps, ...mountItems(store, layout)].sort((a, b) => a.lastUsed - b.lastUsed || (a.key < b.key ? -1 : 1));
}

function stepItem(store: Store, step: CachedStep, leased: Set<string>, others: Set<string>): CacheItem {
  const parts = new Map(step.chain.map((chain) => [`layer sha256:${chain}`, layerSize(store, chain)]));
  const top = `sha256:${step.chain.at(-1)}`;
  return {
    key: step.key,
    kind: 'step',
    parts,
    size: sum(parts),
    lastUsed: step.lastUsed,
    isUsed: leased.has(top),
    isShared: others.has(top),
    remove: () => rmSync(step.path, { force: true }),
  };
}

function mountItems(store: Store, layout: Layout): CacheItem[] {
  const folder = join(layout.build, 'caches');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{32}(-\d+)?$/.test(name)) : [];
  return names.map((name) => {
    const size = measure(join(folder, name));
    const path = join(folder, `${name}.lock`);
    using free = tryLock(store.verbs, path, 'exclusive');
    return {
      key: name,
      kind: 'mount',
      parts: new Map([[`mount ${name}`, size]]),
      size,
      lastUsed: statSync(path).mtimeMs,
      isUsed: free === null,
      isShared: false,
      remove() {
        using taken = tryLock(store.verbs, path, 'exclusive');
        if (taken) renameSync(join(folder, name), join(folder, `.gone-${name}`));
      },
    };
  });
}

/** Removes what no build at work uses. */
export async function pruneCache(
  store: Store,
  layout: Layout,
  { isAll, before = Number.POSITIVE_INFINITY, keep = 0 }: CachePruning,
  signal?: AbortSignal,
): Promise<CachePruned> {
  const items = cacheItems(store, layout);
  const candidates = items.filter(({ isShared, lastUsed }) => (isAll || !isShared) && lastUsed < before);
  const chosen =
    keep > 0 ? leastRecentlyUsed(ownOf(store, layout, candidates), cacheSize(store, layout, items) - keep) : candidates;
  const meant = new Set(chosen.filter(({ isUsed }) => !isUsed).map(({ key }) => key));
  const gone = candidates.filter(({ key }) => meant.has(key));
  const { bytes } = await collect(
    store,
    layout,
    (manifests, { leased }) => {
      // Looked at once more: a build may have come by in between.
      for (const item of gone) {
        if (![...item.parts.keys()].some((part) => leased.has(part.replace('layer ', '')))) item.remove();
      }
      return manifests;
    },
    signal,
  );
  const mounts = removeGone(store, layout);
  forget(store, layout);
  forgetInputs(store, layout);
  forgetTurns(store.verbs, join(layout.build, 'locks'));
  return { deleted: gone.map(({ key }) => key), bytes: bytes + mounts };
}

/** Bytes of disk that only the cache takes. */
export function cacheSize(store: Store, layout: Layout, items: CacheItem[]): number {
  return sum(new Map(ownOf(store, layout, items).flatMap(({ parts }) => [...parts])));
}

/** Without the parts that images and containers have. */
function ownOf(store: Store, layout: Layout, items: CacheItem[]): CacheItem[] {
  const others = neededDigests(store, new Set(), imageUsers(layout), new Set());
  return items.map((item) => ({
    ...item,
    parts: new Map([...item.parts].filter(([part]) => !others.has(part.replace('layer ', '')))),
  }));
}

/** Trees of cache mounts that were taken out of the way, by this command or one that was killed. Answers their bytes. */
export function removeGone(store: Store, layout: Layout): number {
  const folder = join(layout.build, 'caches');
  if (!existsSync(folder)) return 0;
  const parent = openSync(folder, 'r');
  let bytes = 0;
  try {
    for (const name of readdirSync(folder).filter((each) => each.startsWith('.gone-'))) {
      bytes += measure(join(folder, name));
      removeTree(store.verbs, parent, name);
    }
  } finally {
    closeSync(parent);
  }
  return bytes;
}

/** Notes on blobs and trees that the store has no more. */
function forget(store: Store, { build }: Layout): void {
  forgetNotes(join(build, 'blobs'), ({ digest }) => store.hasBlob(String(digest)));
  forgetNotes(join(build, 'found'), ({ chain }) => store.hasLayer(String(chain)));
}

function forgetNotes(folder: string, isOfUse: (note: { digest?: unknown; chain?: unknown }) => boolean): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      if (isOfUse(JSON.parse(readFileSync(path, 'utf8')))) continue;
    } catch {
      // Damaged: of no use.
    }
    rmSync(path, { force: true });
  }
}

/** What images were built from that have gone, or whose names are others'. */
function forgetInputs(store: Store, layout: Layout): void {
  const folder = join(layout.build, 'inputs');
  if (!existsSync(folder)) return;
  const ids = new Set(store.index().manifests.map(({ digest }) => store.record(digest)?.id));
  for (const name of readdirSync(folder)) {
    try {
      if (ids.has((JSON.parse(readFileSync(join(folder, name), 'utf8')) as { id: string }).id)) continue;
    } catch {
      // Damaged: of no use.
    }
    rmSync(join(folder, name), { force: true });
  }
}

const sum = (parts: Map<string, number>) => [...parts.values()].reduce((total, bytes) => total + bytes, 0);
