/**
 * Images as an archive. Blobs are written as they lie in the store, so every digest stays. Both forms are an OCI image layout in
 * a tar; `docker-archive` has docker's manifest.json besides, as docker itself writes since version 25, so that any docker and
 * podman load it. Source: image-spec image-layout.md; docker's image spec v1.2 for manifest.json.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, DockerArchive, StoredImage } from '../../schemas/oci-image.ts';
import { endOfArchive, entryHeader, padding } from './archive-writer.ts';
import { withoutIndex } from './beside.ts';
import { interruption } from './locks.ts';
import { familiar } from './reference.ts';
import { imageName, refName, type Store } from './store.ts';

export type ArchiveFormat = 'oci-archive' | 'docker-archive';

export interface SavedImage {
  image: StoredImage;
  /** Normalised names it gets in the archive; none where it was asked for by its id. */
  names: string[];
}

/**
 * The bytes of the archive, checked as they are read; the caller holds the images (Images.hold).
 * @throws StackError `image.store` for a blob that is missing or damaged: it is taken out of the store, so that the next pull
 * fetches it; `plan.interrupted`
 */
export async function* save(
  store: Store,
  images: SavedImage[],
  format: ArchiveFormat,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const wanted = merge(images);
  yield* file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  yield* file('index.json', JSON.stringify(indexOf(store, wanted)));
  if (format === 'docker-archive') yield* file('manifest.json', JSON.stringify(dockerManifest(store, wanted)));
  yield entryHeader('blobs/', 0);
  const algorithms = new Set<string>();
  const written = new Set<string>();
  for (const { image } of wanted) {
    for (const digest of store.record(image.manifestDigest)?.blobs ?? []) {
      if (written.has(digest)) continue;
      written.add(digest);
      const algorithm = digest.slice(0, digest.indexOf(':'));
      if (!algorithms.has(algorithm)) yield entryHeader(`blobs/${algorithm}/`, 0);
      algorithms.add(algorithm);
      yield* blob(store, digest, image, signal);
    }
  }
  yield endOfArchive;
}

/** One entry an image, with all names it was asked for by. */
function merge(images: SavedImage[]): SavedImage[] {
  const merged = new Map<string, SavedImage>();
  for (const { image, names } of images) {
    const known = merged.get(image.manifestDigest);
    merged.set(image.manifestDigest, { image, names: [...new Set([...(known?.names ?? []), ...names])] });
  }
  return [...merged.values()];
}

function* file(name: string, content: string): Generator<Uint8Array> {
  const bytes = Buffer.from(content);
  yield entryHeader(name, bytes.length);
  yield bytes;
  yield padding(bytes.length);
}

/** The entries of our own index, with the names asked for. */
function indexOf(store: Store, images: SavedImage[]): object {
  const entries = images.flatMap(({ image, names }) => {
    const own = withoutIndex(store.index().manifests.find(({ digest }) => digest === image.manifestDigest)!);
    const { [refName]: _ref, [imageName]: _name, ...annotations } = own.annotations ?? {};
    const entry = (name?: string): Descriptor => ({
      ...own,
      annotations: { ...annotations, ...(name ? { [refName]: name, [imageName]: name } : {}) },
    });
    return names.length > 0 ? names.map(entry) : [entry()];
  });
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: entries };
}

function dockerManifest(store: Store, images: SavedImage[]): DockerArchive {
  return images.map(({ image, names }) => {
    const manifest = store.manifest(image.manifestDigest);
    return {
      Config: blobName(manifest.config.digest),
      RepoTags: names.filter((name) => !name.includes('@')).map(familiar),
      Layers: manifest.layers.map(({ digest }) => blobName(digest)),
    };
  });
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function* blob(
  store: Store,
  digest: string,
  image: StoredImage,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const path = store.blob(digest);
  const size = fs.statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw lost(digest, image, 'is missing from the store');
  yield entryHeader(blobName(digest), size);
  const hash = createHash(digest.slice(0, digest.indexOf(':')));
  // Not beyond what the header says, whoever appends to it.
  const content = size > 0 ? fs.createReadStream(path, { highWaterMark: 1024 * 1024, end: size - 1 }) : [];
  for await (const chunk of content) {
    if (signal.aborted) throw interruption('Saving');
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
  if (hash.digest('hex') !== digest.slice(digest.indexOf(':') + 1)) {
    fs.rmSync(path, { force: true });
    throw lost(digest, image, 'does not have its digest any more and was taken out of the store');
  }
  yield padding(size);
}

function lost(digest: string, image: StoredImage, what: string): StackError {
  const shown = image.names[0] ? familiar(image.names[0]) : image.id;
  return new StackError('image.store', {
    message: `Blob ${digest} of image ${shown} ${what}.`,
    hint: `\`stack image pull ${shown}\` fetches it again.`,
    resource: `image ${shown}`,
  });
}
