/** What the build cache needs of the store: read from its records, as users of images are read from their containers. */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../state/layout.ts';
import { chainIds } from './layer.ts';
import type { Store } from './store.ts';

/** `<root>/build/steps/<key>.json`. The file's time of modification is when a build last came by. */
export interface StepRecord {
  /** Digests of the layers of the tree that came out of a step, lowest first. */
  diffIds: string[];
  /** RFC 3339. */
  createdAt: string;
}

export interface CachedStep {
  key: string;
  path: string;
  /** Chain ids in hex, lowest layer first. */
  chain: string[];
  /** ms since the epoch. */
  lastUsed: number;
}

export function readStep(path: string): StepRecord | undefined {
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<StepRecord>;
    const isWhole = Array.isArray(found.diffIds) && found.diffIds.every((one) => /^sha256:[0-9a-f]{64}$/.test(one));
    return isWhole ? (found as StepRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Files that are no records, and those written right now, are left out. */
export function cachedSteps({ build }: Pick<Layout, 'build'>): CachedStep[] {
  const folder = join(build, 'steps');
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const record = name.endsWith('.json') ? readStep(path) : undefined;
    const stat = record && statSync(path, { throwIfNoEntry: false });
    if (!record || !stat) return [];
    return [{ key: name.slice(0, -'.json'.length), path, chain: chainIds(record.diffIds), lastUsed: stat.mtimeMs }];
  });
}

/**
 * `sha256:` + chain ids of the layers that steps need. Under the gate, taken alone. A step that lost one, as after a power
 * cut, is forgotten: its others would be kept for nothing.
 */
export function cachedLayers(store: Store, layout: Pick<Layout, 'build'>): Set<string> {
  const needed = new Set<string>();
  for (const { path, chain } of cachedSteps(layout)) {
    if (chain.every((one) => store.hasLayer(one))) for (const one of chain) needed.add(`sha256:${one}`);
    else rmSync(path, { force: true });
  }
  return needed;
}
