/** From the store to a registry: blobs first, the manifest last. */
import { createReadStream, readFileSync } from 'node:fs';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Descriptor, Index, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import type { Settings } from '../../schemas/settings.ts';
import { indexOf } from './beside.ts';
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
  const documents = documentsOf(store, reference, image);
  // Not under the gate: a push may take hours, and nobody could remove anything.
  using lease = store.lease();
  await lease.keep([image.manifestDigest, ...documents.map(({ digest }) => digest)]);
  const missing = documents.some(({ digest }) => !store.hasBlob(digest));
  if (missing) {
    throw new StackError('image.not-found', {
      message: `Image ${shown} was removed before it could be sent.`,
      hint: 'Another command removed it; build, pull or load it again.',
      resource: `image ${shown}`,
    });
  }
  const endpoint = registryEndpoint(reference.registry, reference.repository, settings);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  using registry = new Registry(endpoint, shown, either, timing, 'pull,push');
  // A layer may stand in an image more than once.
  const parts = documents.flatMap(({ value: { layers = [], config } }) => (config ? [...layers, config] : layers));
  const blobs = [...new Map(parts.map((each) => [each.digest, each])).values()];
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
  const top = documents.pop()!;
  // Registries take an index only where they have what it names.
  for (const { digest, mediaType, content } of documents) await putManifest(registry, digest, mediaType, content);
  const { content, mediaType, digest, value } = top;
  const { subject: noted } = await putManifest(registry, reference.tag, mediaType, content);
  if (value.subject && noted === undefined) {
    await addReferrer(registry, value.subject.digest, {
      mediaType,
      digest,
      size: content.length,
      artifactType: value.artifactType || (value.config?.mediaType ?? ''),
      ...(value.annotations ? { annotations: value.annotations } : {}),
    });
  }
  return { digest, size: content.length, blobs: done };
}

interface Sent {
  digest: string;
  mediaType: string;
  content: Buffer;
  value: Partial<Manifest & Index> & { subject?: Descriptor; annotations?: Record<string, string> };
}

/** The documents to send, the one the tag will mean last: the image's manifest, or the index the name stands for with what it names. */
function documentsOf(store: Store, { name }: Reference, { manifestDigest }: StoredImage): Sent[] {
  const read = (digest: string): Sent => {
    const content = store.hasBlob(digest) ? readFileSync(store.blob(digest)) : Buffer.from('{}');
    const value = JSON.parse(content.toString('utf8')) as Sent['value'];
    return { digest, content, value, mediaType: value.mediaType ?? ociManifest };
  };
  const entry = store.index().manifests.find(({ annotations }) => annotations?.[refName] === name);
  const index = entry && indexOf(entry);
  if (index === undefined) return [read(store.record(manifestDigest)?.sourceManifest ?? manifestDigest)];
  const top = read(index);
  return [...(top.value.manifests ?? []).map(({ digest }) => read(digest)), top];
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
