/** Images of several platforms, and what attests them, under one name: an OCI index. Source: image-spec image-index.md. */
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import type { Descriptor, Index, StoredImage } from '../../schemas/oci-image.ts';
import { beside, indexOf } from '../images/beside.ts';
import { putBlob } from '../images/blob.ts';
import { withNames } from '../images/install.ts';
import type { Lease } from '../images/leases.ts';
import { ociIndex, ociManifest } from '../images/media.ts';
import { choosePlatform, hostPlatform } from '../images/platform.ts';
import { imageName, refName, type Store, sourceDigest } from '../images/store.ts';

export interface Indexing {
  store: Store;
  lease: Lease;
  /** In the order they were asked for; nameless in the store. */
  parts: StoredImage[];
  /** Manifests about them, which are in the store and leased. */
  attestations?: Descriptor[];
  /** Normalised. */
  names: string[];
}

/** Gives the names to an index of the images. Answers the image of it that runs here, or the first. */
export async function nameIndex({ store, lease, parts, attestations = [], names }: Indexing): Promise<StoredImage> {
  const { manifests: known } = store.index();
  const descriptors = parts.map(({ manifestDigest, config: { os, architecture, variant } }): Descriptor => {
    const { digest, size, mediaType = ociManifest } = known.find((one) => one.digest === manifestDigest)!;
    return { mediaType, digest, size, platform: { os, architecture, ...(variant ? { variant } : {}) } };
  });
  const index: Index = { schemaVersion: 2, mediaType: ociIndex, manifests: [...descriptors, ...attestations] };
  const content = Buffer.from(JSON.stringify(index));
  const blob = putBlob(store, content);
  await lease.keep([blob.digest]);
  let chosen = descriptors[0]!;
  try {
    chosen = choosePlatform('', descriptors, hostPlatform());
  } catch {
    // None runs here: it is for elsewhere.
  }
  const entry = (name?: string): Descriptor =>
    beside(
      {
        ...chosen,
        annotations: { [sourceDigest]: blob.digest, ...(name ? { [refName]: name, [imageName]: name } : {}) },
      },
      blob,
    );
  const nameOf = ({ annotations }: Descriptor) => annotations?.[refName];
  const digests = new Set(descriptors.map(({ digest }) => digest));
  // No record is beside it that would tell after a power cut what of it was kept.
  const fd = openSync(store.blob(blob.digest), constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  await store.changeIndex((manifests) => {
    // The index keeps its parts: they need no entries of their own, and would be listed as images without a name.
    const others = manifests.filter((one) => nameOf(one) || indexOf(one) || !digests.has(one.digest));
    return withNames(others, names, entry);
  });
  const image = store.image(entry(names[0]))!;
  return { ...image, names: [...new Set([...names, ...image.names])] };
}
