/** Images out of archives: `docker save`'s own form and the OCI image layout. Source: image-spec image-layout.md. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, DockerArchive, Manifest, Platform, StoredImage } from '../../schemas/oci-image.ts';
import { type Archive, digestOf, openArchive } from './archive.ts';
import { mismatch } from './blob.ts';
import { decompressor, magicLength } from './compression.ts';
import { Extractors } from './extractors.ts';
import type { LoadOptions } from './images.ts';
import { install, type NewImage } from './install.ts';
import { ociConfig, ociLayer, ociManifest, readConfig, readDocument } from './media.ts';
import { choosePlatform, hostPlatform, parsePlatform } from './platform.ts';
import { familiar, parseReference } from './reference.ts';
import { imageName, refName, type Store, sourceDigest } from './store.ts';

/** @throws StackError of the image group; images of the archive that were whole before stay. */
export async function load(
  store: Store,
  addon: string,
  source: string | Readable,
  options: LoadOptions,
): Promise<StoredImage[]> {
  const signal = options.signal ?? new AbortController().signal;
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  store.prepare();
  using archive = await openArchive(store, source, signal);
  await using extractors = new Extractors(addon);
  const stored: StoredImage[] = [];
  for await (const image of imagesOf(archive, platform)) {
    const name = image.names[0] ?? image.shown;
    const tell = options.onProgress ?? (() => {});
    stored.push(await install(store, extractors, image, (progress) => tell({ ...progress, name }), signal));
  }
  return stored;
}

function imagesOf(archive: Archive, platform: Platform): AsyncGenerator<NewImage> {
  // Since docker 25 an archive is both; the layout tells more.
  if (archive.has('index.json')) return layoutImages(archive, platform);
  if (archive.has('manifest.json')) return dockerImages(archive);
  throw new StackError('image.archive', {
    message: 'The archive has neither index.json (OCI image layout) nor manifest.json (docker save).',
    hint: 'Make it with `docker save`, `podman save` or `skopeo copy … oci-archive:…`; file system tars of `docker export` are no images.',
  });
}

async function* layoutImages(archive: Archive, platform: Platform): AsyncGenerator<NewImage> {
  const index = await readDocument('of the archive', archive.read('index.json'), '');
  if (index.kind !== 'index')
    throw new StackError('image.archive', { message: 'index.json of the archive is no index.' });
  const { manifests } = index.value;
  if (manifests.length === 0) throw new StackError('image.archive', { message: 'The archive has no image.' });
  for (const descriptor of manifests) yield await readImage(archive, descriptor, namesOf(descriptor), platform);
}

/** One image of a layout, whatever indexes lead to it. */
async function readImage(archive: Archive, top: Descriptor, names: string[], platform: Platform): Promise<NewImage> {
  const shown = names[0] ? familiar(names[0]) : top.digest;
  let at = top;
  for (let depth = 0; depth < 4; depth++) {
    const content = document(archive, at);
    const read = await readDocument(shown, content, at.mediaType);
    if (read.kind === 'manifest') {
      const digest = top.annotations?.[sourceDigest] ?? top.digest;
      return described(archive, { shown, names, manifest: read.value, manifestContent: content, digest });
    }
    at = choosePlatform(shown, read.value.manifests, platform);
  }
  throw new StackError('image.archive', { message: `Image ${shown} has indexes that lead to indexes.` });
}

/**
 * One image of a layout directory, nameless, as `choose` finds it among the descriptors of its index.json.
 * @throws StackError of the image group
 */
export async function loadFrom(
  store: Store,
  addon: string,
  directory: string,
  choose: (manifests: Descriptor[]) => Descriptor,
  { signal, platform }: { signal: AbortSignal; platform: string },
): Promise<StoredImage> {
  store.prepare();
  using archive = await openArchive(store, directory, signal);
  if (!archive.has('index.json')) {
    throw new StackError('image.archive', { message: `${directory} is no OCI layout: it has no index.json.` });
  }
  const index = await readDocument(`of ${directory}`, archive.read('index.json'), '');
  if (index.kind !== 'index')
    throw new StackError('image.archive', { message: `index.json of ${directory} is no index.` });
  await using extractors = new Extractors(addon);
  const image = await readImage(archive, choose(index.value.manifests), [], parsePlatform(platform));
  return await install(store, extractors, image, () => {}, signal);
}

/**
 * Unpacks an image anew that the store names and whose blobs it has: another tool put it there, or its layers are gone. Asks
 * nobody outside. @throws StackError where a blob is missing or damaged
 */
export async function repair(
  store: Store,
  addon: string,
  descriptor: Descriptor,
  name: string,
  options: Required<Pick<LoadOptions, 'signal'>> & Pick<LoadOptions, 'platform' | 'onProgress'>,
): Promise<StoredImage> {
  const signal = options.signal ?? new AbortController().signal;
  const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
  store.prepare();
  using lease = store.lease();
  await lease.keep([descriptor.digest]);
  using archive = await openArchive(store, store.root, signal);
  await using extractors = new Extractors(addon);
  const image = await readImage(archive, descriptor, [name], platform);
  return await install(store, extractors, image, (progress) => options.onProgress?.({ ...progress, name }), signal);
}

async function described(
  archive: Archive,
  image: Pick<NewImage, 'shown' | 'names' | 'manifest' | 'manifestContent' | 'digest'>,
): Promise<NewImage> {
  const configContent = document(archive, image.manifest.config);
  return {
    ...image,
    config: await readConfig(image.shown, configContent),
    configContent,
    openLayer: ({ digest }) => archive.stream(blobName(digest)),
  };
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A document by its descriptor, its digest checked. */
function document(archive: Archive, { digest, size }: Descriptor): Buffer {
  const content = archive.read(blobName(digest));
  const algorithm = digest.slice(0, digest.indexOf(':'));
  const got = `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
  if (content.length < size) {
    throw new StackError('image.truncated', {
      message: `Blob ${digest} of the archive has ${content.length} of ${size} bytes.`,
    });
  }
  if (got !== digest) throw mismatch(digest, got);
  return content;
}

/** A bare tag in the OCI annotation names nothing: which image it is a tag of is not said. */
function namesOf({ annotations }: Descriptor): string[] {
  const reference = annotations?.[refName];
  const full = annotations?.[imageName] ?? (reference && /[:/]/.test(reference) ? reference : undefined);
  return full === undefined ? [] : [parseReference(full).name];
}

/** Source: docker's image spec v1.2 "Combined Image JSON + Filesystem Changeset Format", manifest.json. */
async function* dockerImages(archive: Archive): AsyncGenerator<NewImage> {
  const { dockerArchive } = await import('../../schemas/oci-image.ts');
  let items: DockerArchive;
  try {
    items = dockerArchive.parse(JSON.parse(archive.read('manifest.json').toString('utf8')));
  } catch (thrown) {
    if (thrown instanceof StackError) throw thrown;
    throw new StackError('image.archive', { message: 'manifest.json of the archive is malformed.', cause: thrown });
  }
  if (items.length === 0) throw new StackError('image.archive', { message: 'The archive has no image.' });
  for (const { Config, RepoTags, Layers } of items) {
    const names = (RepoTags ?? []).map((name) => parseReference(name).name);
    const files = Layers ?? [];
    const shown = names[0] ? familiar(names[0]) : Config;
    const configContent = archive.read(Config);
    const config = await readConfig(shown, configContent);
    const layers: Descriptor[] = [];
    for (const [at, file] of files.entries()) {
      layers.push(await layerDescriptor(archive, file, config.rootfs.diff_ids[at] ?? ''));
    }
    const digest = `sha256:${createHash('sha256').update(configContent).digest('hex')}`;
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: ociManifest,
      config: { mediaType: ociConfig, digest, size: configContent.length },
      layers,
    };
    yield {
      shown,
      names,
      manifest,
      manifestContent: undefined,
      config,
      configContent,
      digest: undefined,
      openLayer: (_, at) => archive.stream(files[at]!),
    };
  }
}

/** A plain layer has its diff id for a digest; of a compressed one it is computed. */
async function layerDescriptor(archive: Archive, file: string, diffId: string): Promise<Descriptor> {
  const size = archive.size(file);
  let start = Buffer.alloc(0);
  for await (const chunk of archive.stream(file)) {
    start = Buffer.from(chunk.subarray(0, magicLength));
    break;
  }
  const decoder = decompressor(start);
  decoder?.destroy();
  if (!decoder) return { mediaType: ociLayer, digest: diffId, size };
  const kind = start[0] === 0x1f ? 'gzip' : 'zstd';
  return { mediaType: `${ociLayer}+${kind}`, digest: await digestOf(archive, file), size };
}
