/**
 * Caches at registries: `cache_from` and `cache_to` of `type=registry`. An OCI artifact: its configuration names the steps, its
 * layers are those they made, so that the registry keeps them. An image with a cache in its configuration is read too.
 */
import { createHash } from 'node:crypto';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Descriptor, ImageConfig, Index, Manifest } from '../../schemas/oci-image.ts';
import type { Settings } from '../../schemas/settings.ts';
import { isImageType, ociConfig, ociManifest } from '../images/media.ts';
import { familiar, parseReference } from '../images/reference.ts';
import { registryEndpoint } from '../images/registry/endpoint.ts';
import { defaultTiming, Registry } from '../images/registry/registry.ts';
import { type Blob, type CacheSource, type KeptStep, readBlob, readKept } from './cache-source.ts';
import { readInline } from './inline-cache.ts';

export const cacheArtifact = 'application/vnd.stack.build.cache.v1';
export const cacheConfig = 'application/vnd.stack.build.cache.config.v1+json';
/** Raised where what a cache says changes its meaning: other versions are not read. */
export const cacheVersion = 1;

/** As it is written: `layers` are places in the manifest's. */
export interface CacheConfig {
  version: typeof cacheVersion;
  steps: Record<string, { diffIds: string[]; createdAt: string; layers: number[] }>;
}

/** Bytes of a configuration that is read. */
const configLimit = 32 * 1024 * 1024;
/** Images of an index that are asked for their caches. */
const partsLimit = 16;

export interface Reading {
  settings: Settings;
  signal: AbortSignal;
  warn(error: StackError): void;
}

/** Asked when the first step is looked for. What is not there, or not to be had, is told once and has no steps. */
export function registryCache(reference: string, { settings, signal, warn }: Reading): CacheSource & Disposable {
  const { registry: place, repository, tag, digest, name } = parseReference(reference);
  const shown = familiar(name);
  const endpoint = registryEndpoint(place, repository, settings);
  const registry = new Registry(endpoint, shown, signal, defaultTiming);
  let steps: Promise<Map<string, KeptStep>> | undefined;
  const load = async () => {
    try {
      return await stepsAt(registry, digest ?? tag!);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = asStackError(thrown, 'build.cache');
      warn(
        new StackError('build.cache', {
          message: `The build cache ${shown} is not used: ${error.message}`,
          hint: error.code === 'image.not-found' ? 'The first build with `cache_to` makes it.' : error.hint,
        }),
      );
      return new Map<string, KeptStep>();
    }
  };
  return {
    shown,
    async step(key) {
      steps ??= load();
      return (await steps).get(key);
    },
    open: (blob) => registry.blob(blob.digest, blob.size),
    [Symbol.dispose]: () => registry[Symbol.dispose](),
  };
}

async function stepsAt(registry: Registry, reference: string): Promise<Map<string, KeptStep>> {
  const document = await documentAt(registry, reference);
  const parts = (document as Partial<Index>).manifests;
  if (!Array.isArray(parts)) return stepsOf(registry, document as Manifest);
  const all = new Map<string, KeptStep>();
  const images = parts.filter(({ mediaType, platform }) => isImageType(mediaType) && platform?.os !== 'unknown');
  for (const { digest } of images.slice(0, partsLimit)) {
    const manifest = (await documentAt(registry, digest)) as Manifest;
    if (!manifest.config) continue;
    for (const [key, step] of await stepsOf(registry, manifest)) all.set(key, step);
  }
  return all;
}

async function documentAt(registry: Registry, reference: string): Promise<Partial<Manifest & Index>> {
  const { content, announced } = await registry.manifest(reference);
  const expected = reference.startsWith('sha256:') ? reference : announced;
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (expected?.startsWith('sha256:') && expected !== digest) throw damaged(`its manifest has the digest ${digest}`);
  return json(content) as Partial<Manifest & Index>;
}

async function stepsOf(registry: Registry, { config, layers }: Manifest): Promise<Map<string, KeptStep>> {
  if (!Array.isArray(layers) || typeof config?.digest !== 'string') throw damaged('it is no manifest');
  if (config.mediaType !== cacheConfig && config.mediaType !== ociConfig) {
    throw damaged(`it is ${JSON.stringify(String(config.mediaType).slice(0, 120))}, and no build cache of Stack`);
  }
  const content = await configAt(registry, config);
  if (config.mediaType === ociConfig) {
    const { readConfig } = await import('../images/media.ts');
    return readInline((await readConfig('of the cache', content)) as ImageConfig, { layers } as Manifest);
  }
  return readCacheConfig(json(content), layers);
}

async function configAt(registry: Registry, { digest, size }: Descriptor): Promise<Buffer> {
  if (!Number.isSafeInteger(size) || size > configLimit) throw damaged(`its configuration has ${size} bytes`);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of registry.blob(digest, size)) {
    length += chunk.length;
    if (length > size) break;
    parts.push(chunk);
  }
  const content = Buffer.concat(parts);
  const got = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (length !== size || got !== digest) throw damaged('its configuration is not what its manifest says');
  return content;
}

/** @throws StackError build.cache for another version; steps that are none are left out */
export function readCacheConfig(value: object, layers: unknown[]): Map<string, KeptStep> {
  const { version, steps } = value as Partial<CacheConfig>;
  if (version !== cacheVersion) {
    throw damaged(`it is of version ${JSON.stringify(version)?.slice(0, 20)}, and this program reads ${cacheVersion}`);
  }
  const found = new Map<string, KeptStep>();
  if (typeof steps !== 'object' || steps === null) return found;
  for (const [key, step] of Object.entries(steps)) {
    if (!/^[0-9a-f]{64}$/.test(key) || !Array.isArray(step?.layers)) continue;
    const blobs = step.layers.map((at) => readBlob(layers[at])) as (Blob | undefined)[];
    const kept = readKept({ ...step, layers: blobs });
    if (kept) found.set(key, kept);
  }
  return found;
}

function json(content: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below.
  }
  throw damaged('it is no JSON object');
}

const damaged = (why: string) => new StackError('build.cache', { message: `${why}.` });

export const manifestOf = (config: Blob, layers: Blob[]) => ({
  schemaVersion: 2,
  mediaType: ociManifest,
  artifactType: cacheArtifact,
  config,
  layers,
});
