/** The caches of a request: opened to read from, and written when the image is made. */
import { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import type { Lease } from '../images/leases.ts';
import type { Store } from '../images/store.ts';
import type { CacheSource, SolvedStep } from './cache-source.ts';
import type { CacheFrom, CacheTo } from './caches.ts';
import type { Records } from './records.ts';
import type { Tree } from './tree.ts';

export interface Place {
  host: Host;
  store: Store;
  lease: Lease;
  records: Records;
  epoch: number | undefined;
  warn(error: StackError): void;
  signal: AbortSignal;
}

/** What is opened is closed with `stack`. */
export async function openCaches(
  from: CacheFrom[],
  { host, warn, signal }: Pick<Place, 'host' | 'warn' | 'signal'>,
  stack: DisposableStack,
): Promise<CacheSource[]> {
  const sources: CacheSource[] = [];
  for (const cache of from) {
    if (cache.type === 'local') sources.push((await import('./local-cache.ts')).localCache(cache.directory));
    else {
      const { registryCache } = await import('./registry-cache.ts');
      sources.push(stack.use(registryCache(cache.reference, { settings: host.settings, warn, signal })));
    }
  }
  return sources;
}

/** @param trees of the images that came out. @throws StackError build.cache */
export async function writeCaches(
  to: CacheTo[],
  steps: Map<string, SolvedStep>,
  trees: Tree[],
  place: Place,
): Promise<void> {
  const isIn = ({ diffIds }: SolvedStep) =>
    trees.some((tree) => diffIds.every((diffId, at) => tree.diffIds[at] === diffId));
  for (const cache of to) {
    const chosen = new Map([...steps].filter(([, step]) => cache.isWhole || isIn(step)));
    try {
      if (cache.type === 'local') {
        await (await import('./local-cache.ts')).writeLocalCache(cache.directory, chosen, place);
      } else {
        const { writeRegistryCache } = await import('./registry-cache-write.ts');
        await writeRegistryCache(cache.reference, chosen, { ...place, settings: place.host.settings });
      }
    } catch (thrown) {
      if (!cache.isOptional || !(thrown instanceof StackError) || place.signal.aborted) throw thrown;
      place.warn(thrown);
    }
  }
}
