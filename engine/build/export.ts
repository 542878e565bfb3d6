/** A solved tree becomes an image of the store: configuration, history, blobs, names. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BuildGraph, BuildResult, ImageOperation } from '../../schemas/build.ts';
import type { Descriptor, ImageConfig, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import { chainIds } from '../images/layer.ts';
import { layerTar } from '../images/layer-tar.ts';
import { ociConfig, ociManifest } from '../images/media.ts';
import { refName, type Store } from '../images/store.ts';
import type { SolvedStep } from './cache-source.ts';
import { inlineKey, inlineOf } from './inline-cache.ts';
import { compressor, packedType } from './pack.ts';
import type { Records } from './records.ts';
import type { Tree } from './tree.ts';

export interface Exporting {
  store: Store;
  addon: string;
  records: Records;
  graph: BuildGraph;
  result: BuildResult;
  tree: Tree;
  /** What came of a step, by vertex. */
  madeBy(vertex: string): Promise<{ tree: Tree; createdAt: string | undefined }>;
  /** Steps that the configuration tells of: `cache_to` of type=inline. */
  inline?: Map<string, SolvedStep>;
  /** Normalised. */
  names: string[];
  signal: AbortSignal;
}

/** Adds the image. Layers that were compressed before are not again. */
export async function exportImage(exporting: Exporting): Promise<StoredImage> {
  const { store, addon, records, result, tree, names, signal, graph } = exporting;
  const config = await finished(exporting);
  const base = result.base === undefined ? undefined : graph.vertices[result.base]?.operation;
  const baseLayers = base?.kind === 'source.image' ? layersOf(store, base) : [];
  const chains = chainIds(tree.diffIds);
  const descriptors = tree.diffIds.map((diffId, at): Descriptor => {
    const known = baseLayers[at] ?? records.blobOf(diffId);
    // In one order, wherever it is known from: the manifest's bytes are what names the image.
    const { mediaType, digest, size, ...others } = (known ?? {}) as Descriptor;
    if (known && store.hasBlob(digest, size)) return { mediaType, digest, size, ...others };
    return { mediaType: packedType } as Descriptor;
  });
  const configContent = Buffer.from(JSON.stringify(config));
  const existing = unchanged(store, configContent, descriptors, names);
  if (existing) return existing;
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: '', size: configContent.length },
    layers: descriptors,
  } as Manifest;
  const [{ Extractors }, { install }] = await Promise.all([
    import('../images/extractors.ts'),
    import('../images/install.ts'),
  ]);
  await using extractors = new Extractors(addon);
  const stored = await install(
    store,
    extractors,
    {
      shown: names[0] ?? 'the built image',
      names,
      manifest,
      manifestContent: undefined,
      config,
      configContent,
      digest: undefined,
      openLayer: (_, at) => compressed(store, chains[at]!, result.epoch),
    },
    () => {},
    signal,
  );
  for (const [at, layer] of store.manifest(stored.manifestDigest).layers.entries()) {
    const { digest, size, mediaType } = layer;
    records.keepBlob(tree.diffIds[at]!, { digest, size, mediaType });
  }
  return stored;
}

/** The image that a build of the same steps made and named before: nothing of it has to be written, or synced, again. */
function unchanged(
  store: Store,
  configContent: Buffer,
  descriptors: Descriptor[],
  names: string[],
): StoredImage | undefined {
  const id = `sha256:${createHash('sha256').update(configContent).digest('hex')}`;
  const { manifests } = store.index();
  const of = (name: string) => manifests.find(({ annotations }) => annotations?.[refName] === name);
  const entry = names[0] === undefined ? undefined : of(names[0]);
  if (!entry || names.some((name) => of(name)?.digest !== entry.digest)) return undefined;
  const record = store.record(entry.digest);
  if (record?.id !== id || !record.blobs.every((digest) => store.hasBlob(digest))) return undefined;
  const { layers } = store.manifest(entry.digest);
  if (!descriptors.every(({ digest }, at) => digest !== undefined && digest === layers[at]?.digest)) return undefined;
  const image = store.image(entry);
  if (!image) return undefined;
  store.records.touch(entry.digest);
  return { ...image, names: [...new Set([...names, ...image.names])] };
}

const layersOf = (store: Store, { digest }: ImageOperation): Descriptor[] => store.manifest(digest).layers;

/** A layer of the store as its blob, of type {@link packedType}. */
export async function* compressed(store: Store, chain: string, epoch: number | undefined): AsyncGenerator<Uint8Array> {
  const fd = openSync(join(store.layer(chain), 'fs'), constants.O_DIRECTORY);
  try {
    const options = epoch === undefined ? {} : { latestNs: BigInt(epoch) * 1_000_000_000n };
    const packed = compressor();
    const source = Readable.from(layerTar(store.verbs, fd, options));
    source.on('error', (error) => packed.destroy(error));
    yield* source.pipe(packed);
  } finally {
    closeSync(fd);
  }
}

/** The configuration with the layers and the history of this build. Source: image-spec config.md. */
async function finished({ result, tree, madeBy, inline }: Exporting): Promise<ImageConfig> {
  const fixed = result.epoch === undefined ? undefined : new Date(result.epoch * 1000).toISOString();
  // The time of the last step that ran: what comes from the cache alone is the same image each time.
  let created = fixed ?? result.config.created ?? new Date(0).toISOString();
  const history = [...(result.config.history ?? [])];
  let layers = result.config.rootfs.diff_ids.length;
  for (const { entry, vertex } of result.steps) {
    const made = vertex === undefined ? undefined : await madeBy(vertex);
    const added = made?.tree.diffIds.length ?? layers;
    if (made?.createdAt && !fixed) created = made.createdAt;
    // COPY --link of several trees, and steps that share one: one entry stands for all, as in other builders.
    history.push({ created, comment: 'stack', ...entry, ...(added === layers ? { empty_layer: true } : {}) });
    layers = added;
  }
  // The base image's own would be told of layers it does not know.
  const { [inlineKey]: _, ...config } = result.config;
  const steps = inline && { [inlineKey]: inlineOf(inline, tree.diffIds, fixed) };
  return { ...config, ...steps, created, history, rootfs: { type: 'layers', diff_ids: tree.diffIds } } as ImageConfig;
}
