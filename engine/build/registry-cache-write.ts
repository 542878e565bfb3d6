/** Writes a cache to a registry: blobs first, then what names them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Settings } from '../../schemas/settings.ts';
import { BlobWriter } from '../images/blob.ts';
import { chainIds } from '../images/layer.ts';
import type { Lease } from '../images/leases.ts';
import { ociManifest } from '../images/media.ts';
import { familiar, parseReference } from '../images/reference.ts';
import { registryEndpoint } from '../images/registry/endpoint.ts';
import { putManifest } from '../images/registry/referrers.ts';
import { defaultTiming, Registry } from '../images/registry/registry.ts';
import { uploadBlob } from '../images/registry/upload.ts';
import type { Store } from '../images/store.ts';
import type { Blob, SolvedStep } from './cache-source.ts';
import { compressed } from './export.ts';
import { packedType } from './pack.ts';
import type { Records } from './records.ts';
import { type CacheConfig, cacheConfig, cacheVersion, manifestOf } from './registry-cache.ts';

export interface Writing {
  store: Store;
  settings: Settings;
  lease: Lease;
  records: Records;
  epoch: number | undefined;
  signal: AbortSignal;
}

/** Blobs on their way at once. */
const parallel = 4;
/** What image-spec manifest.md names where there are no layers. */
const empty = Buffer.from('{}');

/** Replaces what the tag means. @throws StackError build.cache where it cannot be written */
export async function writeRegistryCache(
  reference: string,
  steps: Map<string, SolvedStep>,
  writing: Writing,
): Promise<void> {
  const { store, settings, signal } = writing;
  const { registry: place, repository, tag, name } = parseReference(reference);
  const shown = familiar(name);
  const failed = (why: string, hint?: string) =>
    new StackError('build.cache', {
      message: `The build cache ${shown} cannot be written: ${why}`,
      hint: hint ?? 'The image is built. Check `cache_to` of `build` in the stack file.',
    });
  if (tag === undefined) throw failed('it names a digest.', 'Name a tag.');
  try {
    const endpoint = registryEndpoint(place, repository, settings);
    using registry = new Registry(endpoint, shown, signal, defaultTiming, 'pull,push');
    const { config, layers } = await configOf(steps, writing);
    const content = Buffer.from(JSON.stringify(config));
    const waiting = [...layers];
    const lane = async () => {
      for (let blob = waiting.pop(); blob !== undefined; blob = waiting.pop()) {
        const path = store.blob(blob.digest);
        const open = (from: number, to: number) => createReadStream(path, { start: from, end: to - 1 });
        await uploadBlob(registry, { ...blob, open });
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, layers.length) }, lane));
    const described = layers.length > 0 ? layers : [await put(registry, 'application/vnd.oci.empty.v1+json', empty)];
    const manifest = manifestOf(await put(registry, cacheConfig, content), described);
    await putManifest(registry, tag, ociManifest, Buffer.from(JSON.stringify(manifest)));
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const { message, hint } = asStackError(thrown, 'build.cache');
    throw failed(message, hint && `The image is built. ${hint}`);
  }
}

async function put(registry: Registry, mediaType: string, content: Buffer): Promise<Blob> {
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const blob = { digest, size: content.length };
  await uploadBlob(registry, { ...blob, open: (from, to) => [content.subarray(from, to)] as never });
  return { mediaType, ...blob };
}

/** Each layer once; those that no image needed so far are compressed. */
async function configOf(
  steps: Map<string, SolvedStep>,
  { store, lease, records, epoch, signal }: Writing,
): Promise<{ config: CacheConfig; layers: Blob[] }> {
  const layers: Blob[] = [];
  const places = new Map<string, number>();
  const config: CacheConfig = { version: cacheVersion, steps: {} };
  for (const [key, { diffIds, createdAt, base }] of [...steps].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const chain = chainIds(diffIds);
    const own: number[] = [];
    for (let at = base; at < diffIds.length; at++) {
      const diffId = diffIds[at]!;
      let blob: Blob | undefined = records.blobOf(diffId);
      if (!blob || !store.hasBlob(blob.digest, blob.size)) {
        using writer = new BlobWriter(store, {});
        for await (const chunk of compressed(store, chain[at]!, epoch)) {
          signal.throwIfAborted();
          writer.write(chunk);
        }
        blob = { ...writer.commit(), mediaType: packedType };
        records.keepBlob(diffId, blob);
      }
      const { digest, size, mediaType } = blob;
      await lease.keep([digest]);
      if (!places.has(digest)) places.set(digest, layers.push({ mediaType, digest, size }) - 1);
      own.push(places.get(digest)!);
    }
    config.steps[key] = { diffIds, createdAt, layers: own };
  }
  return { config, layers };
}
