/** From the store to a registry: blobs first, the manifest last. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Descriptor, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import type { Settings } from '../../schemas/settings.ts';
import type { ImageProgress } from './install.ts';
import { interruption } from './locks.ts';
import { ociManifest } from './media.ts';
import { familiar, parseReference, type Reference } from './reference.ts';
import { registryEndpoint } from './registry/endpoint.ts';
import { addReferrer, putManifest } from './registry/referrers.ts';
import { Registry, type Timing } from './registry/registry.ts';
import { type Uploaded, uploadBlob } from './registry/upload.ts';
import { refName, type Store } from './store.ts';

export interface PushRequest {
  /** Where to: a tag. */
  reference: Reference;
  image: StoredImage;
  onProgress: (progress: ImageProgress) => void;
  signal: AbortSignal;
}

export interface Pushed {
  /** Of the manifest, as the registry has it now. */
  digest: string;
  /** Bytes of the manifest. */
  size: number;
  /** What became of each blob, the configuration last. */
  blobs: { digest: string; how: Uploaded }[];
}

/** Blobs on their way at once. */
const parallel = 4;

/** @throws StackError of the image group; `plan.interrupted` after the signal */
export async function push(
  store: Store,
  settings: Settings,
  timing: Timing,
  { reference, image, onProgress, signal }: PushRequest,
): Promise<Pushed> {
  const shown = familiar(reference.name);
  if (reference.tag === undefined) {
    throw new StackError('image.reference', {
      message: `${shown} names a digest, and what is pushed needs a tag.`,
      hint: `Give it a name first: \`stack image tag ${shown} NAME:TAG\`.`,
    });
  }
  // Not under the gate: a push may take hours, and nobody could remove anything.
  using lease = store.lease();
  await lease.keep([image.manifestDigest]);
  const manifestDigest = store.record(image.manifestDigest)?.sourceManifest ?? image.manifestDigest;
  if (!store.hasBlob(manifestDigest)) {
    throw new StackError('image.not-found', {
      message: `Image ${shown} was removed before it could be sent.`,
      hint: 'Another command removed it; build, pull or load it again.',
      resource: `image ${shown}`,
    });
  }
  const content = readFileSync(store.blob(manifestDigest));
  const manifest = JSON.parse(content.toString('utf8')) as Manifest & { subject?: Descriptor };
  const endpoint = registryEndpoint(reference.registry, reference.repository, settings);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  using registry = new Registry(endpoint, shown, either, timing, 'pull,push');
  // A layer may stand in an image more than once.
  const blobs = [...new Map([...manifest.layers, manifest.config].map((each) => [each.digest, each])).values()];
  const progress = new Progress(blobs, onProgress);
  const done: Pushed['blobs'] = [];
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < blobs.length && !either.aborted; at = next++) {
      const { digest, size } = blobs[at]!;
      const how = await uploadBlob(
        registry,
        {
          digest,
          size,
          open: (from, to) =>
            createReadStream(store.blob(digest), { start: from, end: to - 1, highWaterMark: 256 * 1024 }),
        },
        {
          mountFrom: repositoriesWith(store, reference, digest),
          onProgress: (bytes) => progress.move(at, 'pushing', bytes),
        },
      );
      done[at] = { digest, how };
      progress.move(at, how === 'uploaded' ? 'done' : how, size);
    }
  };
  const lanes = Array.from({ length: Math.min(parallel, blobs.length) }, () =>
    lane().catch((thrown: unknown) => {
      if (!stop.signal.aborted) stop.abort(thrown);
    }),
  );
  await Promise.all(lanes);
  if (signal.aborted) throw interruption(`Pushing ${shown}`);
  if (stop.signal.aborted) throw asStackError(stop.signal.reason, 'image.store', { resource: `image ${shown}` });
  const mediaType = manifest.mediaType ?? ociManifest;
  const { subject: noted } = await putManifest(registry, reference.tag, mediaType, content);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (manifest.subject && noted === undefined) {
    const artifactType = typeof manifest.artifactType === 'string' ? manifest.artifactType : '';
    const { annotations } = manifest as { annotations?: Record<string, string> };
    await addReferrer(registry, manifest.subject.digest, {
      mediaType,
      digest,
      size: content.length,
      artifactType: artifactType || manifest.config.mediaType,
      ...(annotations ? { annotations } : {}),
    });
  }
  return { digest, size: content.length, blobs: done };
}

/** Other repositories of the same registry that had the blob when an image of theirs came here: it may be shared from there. */
function repositoriesWith(store: Store, { registry, repository }: Reference, digest: string): string[] {
  const found = new Set<string>();
  for (const descriptor of store.index().manifests) {
    const name = descriptor.annotations?.[refName];
    if (!name || !store.record(descriptor.digest)?.blobs.includes(digest)) continue;
    try {
      const other = parseReference(name);
      if (other.registry === registry && other.repository !== repository) found.add(other.repository);
    } catch {
      // Names that other tools wrote.
    }
  }
  return [...found];
}

class Progress {
  readonly #blobs: { digest: string; current: number; total: number; state: ImageProgress['layer']['state'] }[];
  readonly #tell: (progress: ImageProgress) => void;

  constructor(blobs: Descriptor[], tell: (progress: ImageProgress) => void) {
    this.#blobs = blobs.map(({ digest, size }) => ({ digest, current: 0, total: size, state: 'waiting' }));
    this.#tell = tell;
  }

  move(at: number, how: Uploaded | 'pushing' | 'done', bytes: number): void {
    const blob = this.#blobs[at]!;
    blob.state = how === 'pushing' ? 'pulling' : how === 'done' ? 'done' : 'present';
    blob.current = bytes;
    const sum = (of: 'current' | 'total') => this.#blobs.reduce((total, each) => total + each[of], 0);
    const done = this.#blobs.filter(({ state }) => state === 'done' || state === 'present').length;
    this.#tell({
      detail: `${done}/${this.#blobs.length} blobs`,
      current: sum('current'),
      total: sum('total'),
      layer: { ...blob },
    });
  }
}
