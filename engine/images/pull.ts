/** From a name to an image in the store, by way of the mirrors and the registry. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { asStackError, type ErrorCode, StackError } from '../../schemas/errors.ts';
import type { Manifest, Platform, StoredImage } from '../../schemas/oci-image.ts';
import type { Settings } from '../../schemas/settings.ts';
import { pulledAs } from './beside.ts';
import { mismatch } from './blob.ts';
import { Extractors } from './extractors.ts';
import { type ImageProgress, install } from './install.ts';
import { readConfig, readDocument } from './media.ts';
import { choosePlatform, fits, hostPlatform, showPlatform } from './platform.ts';
import { familiar, type Reference } from './reference.ts';
import { endpoints } from './registry/endpoint.ts';
import { Registry, type Timing } from './registry/registry.ts';
import type { Store } from './store.ts';

export interface PullRequest {
  reference: Reference;
  /** As `platform:` of a service asks for; absent: this machine's. */
  platform: Platform | undefined;
  /** It stays nameless. */
  keepsName: boolean;
  /** What the store has under the name: taken where the registry still means the same. */
  present: StoredImage | undefined;
  onProgress: (progress: ImageProgress) => void;
  signal: AbortSignal;
}

/** Documents on the way from a name to a manifest. */
const depthLimit = 4;
const configLimit = 16 * 1024 * 1024;

/** Failures of one endpoint that another may not have. */
const elsewhere = new Set<ErrorCode>([
  'image.not-found',
  'image.registry-unreachable',
  'image.registry-refused',
  'image.registry-protocol',
  'image.digest-mismatch',
  'image.truncated',
]);

/**
 * Asks the mirrors in order, then the registry; the first that has the whole image wins.
 * @throws StackError of the image group; what the others said is in `also`.
 */
export async function pull(
  store: Store,
  addon: string,
  settings: Settings,
  timing: Timing,
  request: PullRequest,
): Promise<StoredImage> {
  store.prepare();
  await using extractors = new Extractors(addon);
  const shown = familiar(request.reference.name);
  const errors: StackError[] = [];
  for (const endpoint of endpoints(request.reference, settings)) {
    try {
      using registry = new Registry(endpoint, shown, request.signal, timing);
      return await pullFrom(store, extractors, registry, shown, request);
    } catch (thrown) {
      const error = asStackError(thrown, 'internal');
      if (!elsewhere.has(error.code)) throw error;
      errors.push(error);
    }
  }
  throw mostTelling(errors);
}

/** A refusal says more than a missing image, and that more than a silent host; of equals the registry's own, the last. */
function mostTelling(errors: StackError[]): StackError {
  const rank = ({ code }: StackError) =>
    code === 'image.registry-unreachable' ? 2 : code === 'image.not-found' ? 1 : 0;
  const first = errors.reduce((best, error) => (rank(error) <= rank(best) ? error : best));
  first.also.push(...errors.filter((error) => error !== first));
  return first;
}

async function pullFrom(
  store: Store,
  extractors: Extractors,
  registry: Registry,
  shown: string,
  { reference, platform, keepsName, present, onProgress, signal }: PullRequest,
): Promise<StoredImage> {
  const wanted = reference.digest ?? reference.tag!;
  if (present && (await registry.digestOf(wanted)) === present.digest) return present;
  const { manifest, content, digest } = await resolve(registry, shown, wanted, platform ?? hostPlatform());
  // A registry that names no digest in its headers: the document is the same all the same.
  if (digest === present?.digest) return present;
  extractors.warm();
  const configContent = storedConfig(store, manifest) ?? (await fetchConfig(registry, manifest));
  const config = await readConfig(shown, configContent);
  if (platform && !fits(platform, config)) {
    throw new StackError('image.platform', {
      message: `Image ${shown} is made for ${showPlatform(config)}, not for ${showPlatform(platform)}.`,
      resource: `image ${shown}`,
    });
  }
  const image = {
    shown,
    names: keepsName ? [] : [reference.name],
    ...(keepsName ? { annotations: { [pulledAs]: reference.name } } : {}),
    manifest,
    manifestContent: content,
    config,
    configContent,
    digest,
    isResumable: true,
    openLayer: (layer: { digest: string; size: number }, _: number, from: number) =>
      registry.blob(layer.digest, layer.size, from),
  };
  return install(store, extractors, image, onProgress, signal);
}

/** Follows indexes down to one manifest; every document's digest is checked. */
async function resolve(
  registry: Registry,
  shown: string,
  wanted: string,
  platform: Platform,
): Promise<{ manifest: Manifest; content: Uint8Array; digest: string }> {
  let reference = wanted;
  let first: string | undefined;
  for (let depth = 0; depth < depthLimit; depth++) {
    const { content, mediaType, announced } = await registry.manifest(reference);
    const expected = reference.includes(':') ? reference : announced;
    const digest = digestOf(content, expected);
    if (expected !== undefined && expected !== digest) throw mismatch(expected, digest);
    first ??= digest;
    const document = await readDocument(shown, content, mediaType);
    if (document.kind === 'manifest') return { manifest: document.value, content, digest: first };
    reference = choosePlatform(shown, document.value.manifests, platform).digest;
  }
  throw new StackError('image.registry-protocol', {
    message: `Image ${shown} has indexes that lead to indexes, more than ${depthLimit} deep.`,
    hint: 'It was made so to harm, or by mistake: do not use it.',
    resource: `image ${shown}`,
  });
}

/** The configuration where the store has it: most tags move without it changing. */
function storedConfig(store: Store, { config }: Manifest): Uint8Array | undefined {
  // One too large is refused when it is fetched; here its digest may be that of a layer, of gigabytes.
  if (config.size > configLimit || !store.hasBlob(config.digest, config.size)) return undefined;
  const content = readFileSync(store.blob(config.digest));
  return digestOf(content, config.digest) === config.digest ? content : undefined;
}

/** Its digest is checked. @throws StackError `image.limit`, `image.truncated`, `image.digest-mismatch` */
export async function fetchConfig(registry: Registry, { config }: Manifest): Promise<Uint8Array> {
  if (config.size > configLimit) {
    throw new StackError('image.limit', { message: `The image has a configuration of ${config.size} bytes.` });
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of registry.blob(config.digest, config.size)) {
    size += chunk.length;
    if (size > config.size) break;
    parts.push(chunk);
  }
  if (size < config.size) {
    throw new StackError('image.truncated', {
      message: `Configuration ${config.digest} ended after ${size} of ${config.size} bytes.`,
    });
  }
  const content = Buffer.concat(parts);
  const digest = digestOf(content, config.digest);
  if (size !== config.size || digest !== config.digest) throw mismatch(config.digest, digest);
  return content;
}

export function digestOf(content: Uint8Array, like: string | undefined): string {
  const algorithm = like?.startsWith('sha512:') ? 'sha512' : 'sha256';
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
}
