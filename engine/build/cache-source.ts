/**
 * Steps that other machines ran, wherever they are kept. Who can write there decides what steps yield, as with every build cache
 * that is taken over: a record may name any layers for any key. It cannot do more than that: a layer counts only where its
 * content has the digests the record says, on the base the build itself came to, and nothing else in the store changes.
 */
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import type { StepRecord } from '../images/build-cache.ts';
import { Extractors } from '../images/extractors.ts';
import { addLayer, chainIds } from '../images/layer.ts';
import type { Lease } from '../images/leases.ts';
import type { Store } from '../images/store.ts';
import type { Records } from './records.ts';
import { isPresent, type Tree } from './tree.ts';

/** A step of a build: what came of it, and how many layers it was made on. */
export interface SolvedStep extends StepRecord {
  base: number;
}

export interface Blob {
  mediaType: string;
  digest: string;
  size: number;
}

/** A step as a cache has it: the blobs are those of the layers it added, the last of `diffIds`. */
export interface KeptStep extends StepRecord {
  layers: Blob[];
}

export interface CacheSource {
  /** As messages name it. */
  shown: string;
  /** Undefined where it has none, or one that is no such record. Never throws but for the signal. */
  step(key: string): Promise<KeptStep | undefined>;
  open(blob: Blob): AsyncIterable<Uint8Array>;
}

const digestForm = /^sha256:[0-9a-f]{64}$/;
const layerForm = /^application\/vnd\.oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?$/;

/** What a stranger wrote, if it is a step. */
export function readKept(value: unknown): KeptStep | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { diffIds, createdAt, layers } = value as Partial<Record<keyof KeptStep, unknown>>;
  if (!Array.isArray(diffIds) || !Array.isArray(layers) || typeof createdAt !== 'string') return undefined;
  if (!diffIds.every((one) => typeof one === 'string' && digestForm.test(one))) return undefined;
  if (Number.isNaN(Date.parse(createdAt)) || createdAt.length > 40) return undefined;
  const blobs = layers.map(readBlob);
  return blobs.includes(undefined) ? undefined : { diffIds, createdAt, layers: blobs as Blob[] };
}

export function readBlob(value: unknown): Blob | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { mediaType, digest, size } = value as Partial<Record<keyof Blob, unknown>>;
  const isBlob =
    typeof mediaType === 'string' &&
    layerForm.test(mediaType) &&
    typeof digest === 'string' &&
    digestForm.test(digest) &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0;
  return isBlob ? { mediaType, digest, size: size as number } : undefined;
}

export interface Importing {
  store: Store;
  host: Host;
  lease: Lease;
  records: Records;
  signal: AbortSignal;
  warn(error: StackError): void;
}

/** The step with this key as the first of `sources` has it, its layers brought into the store. What is damaged is not there. */
export async function readCache(
  sources: CacheSource[],
  key: string,
  base: Tree,
  importing: Importing,
): Promise<StepRecord | undefined> {
  const { store, records, signal, warn } = importing;
  for (const source of sources) {
    const step = await source.step(key);
    const isOnBase = step && base.diffIds.every((diffId, at) => step.diffIds[at] === diffId);
    if (!isOnBase || step.layers.length !== step.diffIds.length - base.diffIds.length) continue;
    try {
      await bring(source, step, base, importing);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const { message } = asStackError(thrown, 'build.cache');
      warn(
        new StackError('build.cache', {
          message: `The build cache ${source.shown} has a damaged step, which is run: ${message}`,
          hint: 'Write the cache anew with `cache_to`, or take it out of `cache_from`.',
        }),
      );
      continue;
    }
    const record = { diffIds: step.diffIds, createdAt: step.createdAt };
    if (!isPresent(store, record)) continue;
    records.keep(key, record);
    return record;
  }
  return undefined;
}

async function bring(
  source: CacheSource,
  { diffIds, layers }: KeptStep,
  base: Tree,
  { store, host, lease, records, signal }: Importing,
): Promise<void> {
  const chain = chainIds(diffIds);
  await lease.keep([...chain.map((one) => `sha256:${one}`), ...layers.map(({ digest }) => digest)]);
  await using extractors = new Extractors(host.kernel.addon);
  for (const [index, blob] of layers.entries()) {
    const at = base.diffIds.length + index;
    // What lies here is right. The blob a cache names for it would not be compared with it, and so is not taken.
    if (store.hasLayer(chain[at]!)) continue;
    const { digest, size } = blob;
    const open = () => source.open(blob);
    const added = { diffId: diffIds[at]!, chain: chain[at]!, digest, size, open, isResumable: false };
    await addLayer(store, extractors, added, () => {}, signal);
    records.keepBlob(added.diffId, blob);
  }
}
