/** A whole image into the store: layers at once, then the documents, then its names. */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Descriptor, ImageConfig, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import { putBlob } from './blob.ts';
import { isFull } from './disk-full.ts';
import type { Extractors } from './extractors.ts';
import { addLayer, chainIds, type LayerState } from './layer.ts';
import type { Lease } from './leases.ts';
import { interruption } from './locks.ts';
import { asOci, layerLimit, ociManifest } from './media.ts';
import { imageName, refName, type Store, sourceDigest } from './store.ts';

/** Progress of one layer and of the whole image. */
export interface ImageProgress {
  /** In words: `3/5 layers`. */
  detail: string;
  /** Bytes of all layers. */
  current: number;
  total: number;
  /** The layer that moved. */
  layer: { digest: string; state: LayerState; current: number; total: number };
}

export interface NewImage {
  /** As errors name it. */
  shown: string;
  /** Normalised names it gets; none leaves it nameless. */
  names: string[];
  /** More that its entry says. */
  annotations?: Record<string, string>;
  manifest: Manifest;
  /** The manifest's bytes where they came from outside; made here where `manifest` is ours. */
  manifestContent: Uint8Array | undefined;
  config: ImageConfig;
  configContent: Uint8Array;
  /** Digest its name has at its source. */
  digest: string | undefined;
  /** The layer at `position`, lowest first, from its byte `from` on where `isResumable`. */
  openLayer(descriptor: Descriptor, position: number, from: number): AsyncIterable<Uint8Array>;
  isResumable?: boolean;
}

/** How many layers are worked on at once. */
const parallel = Math.min(4, Math.max(2, availableParallelism()));

/**
 * Adds an image whose documents were read and checked. Safe to run many times at once.
 * @throws StackError as {@link addLayer}; layers that were complete stay for the next try.
 */
export async function install(
  store: Store,
  extractors: Extractors,
  image: NewImage,
  onProgress: (progress: ImageProgress) => void,
  signal: AbortSignal,
): Promise<StoredImage> {
  const diffIds = image.config.rootfs.diff_ids;
  const { layers } = image.manifest;
  if (diffIds.length !== layers.length) {
    throw new StackError('image.archive', {
      message: `Image ${image.shown} has ${layers.length} layers, and its configuration names ${diffIds.length}.`,
      resource: `image ${image.shown}`,
    });
  }
  if (layers.length > layerLimit) {
    throw new StackError('image.limit', {
      message: `Image ${image.shown} has ${layers.length} layers; at most ${layerLimit} can be stacked.`,
    });
  }
  const chain = chainIds(diffIds);
  // Before anything is looked up: what is found stays, and what is added is not taken for left-overs.
  using lease = store.lease();
  const digests = [...layers.map(({ digest }) => digest), image.manifest.config.digest];
  await lease.keep([...chain.map((id) => `sha256:${id}`), ...digests]);
  const progress = new Progress(layers, onProgress);
  // One failure ends the others, and none is left running behind the error.
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const kept: { digest: string; size: number }[] = [];
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < layers.length && !either.aborted; at = next++) {
      const descriptor = layers[at]!;
      const { digest, size } = descriptor;
      const source = {
        diffId: diffIds[at]!,
        chain: chain[at]!,
        digest,
        size,
        open: (from: number) => image.openLayer(descriptor, at, from),
        isResumable: image.isResumable ?? false,
      };
      kept[at] = await addLayer(store, extractors, source, (state, bytes) => progress.move(at, state, bytes), either);
    }
  };
  const lanes = Array.from({ length: Math.min(parallel, layers.length) }, () =>
    lane().catch((thrown: unknown) => {
      if (!stop.signal.aborted) stop.abort(thrown);
    }),
  );
  await Promise.all(lanes);
  if (stop.signal.aborted) throw named(stop.signal.reason, image.shown);
  if (signal.aborted) throw interruption(`Adding ${image.shown}`);
  try {
    return await describe(store, image, kept, chain, lease);
  } catch (thrown) {
    throw named(thrown, image.shown);
  }
}

/** Writes manifest, configuration, record and names. */
async function describe(
  store: Store,
  image: NewImage,
  layers: { digest: string; size: number }[],
  chain: string[],
  lease: Lease,
): Promise<StoredImage> {
  const config = putBlob(
    store,
    image.configContent,
    image.manifestContent ? { digest: image.manifest.config.digest } : {},
  );
  // image-spec leaves out the media type at will: such a manifest is kept as it came too.
  const isOurs = image.manifestContent === undefined || (image.manifest.mediaType ?? ociManifest) !== ociManifest;
  const described: Manifest = {
    ...image.manifest,
    config: { ...image.manifest.config, ...config },
    layers: image.manifest.layers.map((layer, at) => ({ ...layer, ...layers[at]! })),
  };
  const content = isOurs ? Buffer.from(JSON.stringify(asOci(described))) : image.manifestContent!;
  await lease.keep([`sha256:${createHash('sha256').update(content).digest('hex')}`]);
  const manifest = putBlob(store, content);
  const source = isOurs && image.manifestContent ? putBlob(store, image.manifestContent) : undefined;
  const blobs = [manifest, config, ...layers, ...(source ? [source] : [])];
  store.records.write({
    id: config.digest,
    manifestDigest: manifest.digest,
    ...(source ? { sourceManifest: source.digest } : {}),
    config: image.config,
    chain,
    blobs: blobs.map(({ digest }) => digest),
    size: blobs.reduce((sum, { size }) => sum + size, 0),
  });
  const origin = image.digest ?? manifest.digest;
  const entry = (name?: string): Descriptor => ({
    mediaType: ociManifest,
    ...manifest,
    platform: platformOf(image.config),
    annotations: {
      ...image.annotations,
      [sourceDigest]: origin,
      ...(name ? { [refName]: name, [imageName]: name } : {}),
    },
  });
  await store.changeIndex((manifests) => withNames(manifests, image.names, entry));
  await store.settle();
  const stored = store.index().manifests.find(({ digest }) => digest === manifest.digest);
  const answer = stored && store.image(stored);
  if (!answer)
    throw new StackError('image.store', {
      message: `Image ${image.shown} vanished from the store while it was added.`,
    });
  // Those it came by first: they are what a command shows of it.
  const names = [...new Set([...image.names, ...answer.names])];
  return { ...answer, names, digest: origin };
}

/** Gives the names to a new entry. Who had a name before and has none left stays, nameless, until it is removed. */
export function withNames(
  manifests: Descriptor[],
  names: string[],
  entry: (name?: string) => Descriptor,
): Descriptor[] {
  const { digest } = entry();
  const nameOf = (descriptor: Descriptor) => descriptor.annotations?.[refName];
  const others = manifests.filter((other) => !names.includes(nameOf(other) ?? ''));
  const nameless = manifests.flatMap((other) => {
    if (others.includes(other) || other.digest === digest || others.some((kept) => kept.digest === other.digest))
      return [];
    const { [refName]: _ref, [imageName]: _name, ...annotations } = other.annotations ?? {};
    return [{ ...other, annotations }];
  });
  const added = names.length > 0 ? names.map(entry) : others.some((other) => other.digest === digest) ? [] : [entry()];
  // A nameless entry of the same image is superseded once it has a name.
  const kept = names.length > 0 ? others.filter((other) => other.digest !== digest || nameOf(other)) : others;
  return [...kept, ...nameless, ...added];
}

function platformOf({ os, architecture, variant }: ImageConfig) {
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function named(thrown: unknown, shown: string): StackError {
  const error = asStackError(thrown, 'image.store');
  if (isFull(error.errno)) {
    return new StackError('host.disk-full', {
      message: `No space left on the disk while adding ${shown}.`,
      hint: 'Free some space, or move the store with STACK_ROOT; what was complete is kept.',
      resource: `image ${shown}`,
      errno: error.errno,
      cause: error,
    });
  }
  if (error.message.includes(shown)) return error;
  const { code, hint, operation, errno, cause, also, exitCode } = error;
  const message = `Image ${shown}: ${error.message}`;
  return new StackError(code, { message, hint, operation, errno, cause, also, exitCode, resource: `image ${shown}` });
}

class Progress {
  readonly #layers: { digest: string; current: number; total: number; state: LayerState }[];
  readonly #tell: (progress: ImageProgress) => void;

  constructor(layers: Descriptor[], tell: (progress: ImageProgress) => void) {
    this.#layers = layers.map(({ digest, size }) => ({ digest, current: 0, total: size, state: 'waiting' }));
    this.#tell = tell;
  }

  move(at: number, state: LayerState, bytes: number): void {
    const layer = this.#layers[at]!;
    layer.state = state;
    layer.current = Math.max(bytes, state === 'waiting' ? 0 : layer.current);
    const done = this.#layers.filter(({ state }) => state === 'done' || state === 'present').length;
    const sum = (of: 'current' | 'total') => this.#layers.reduce((total, layer) => total + layer[of], 0);
    this.#tell({
      detail: `${done}/${this.#layers.length} layers`,
      current: sum('current'),
      total: sum('total'),
      layer: { ...layer },
    });
  }
}
