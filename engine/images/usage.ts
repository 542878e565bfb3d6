/** What each image takes of the disk, what it shares, who uses it, and when it was last used. */
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Layout } from '../state/layout.ts';
import { besideDigests, blobs, layersOf, type Uses } from './collect.ts';
import { layerSize } from './measure.ts';
import { partials } from './partial.ts';
import { usersOf } from './remove.ts';
import type { Store } from './store.ts';
import { imageUsers } from './users.ts';

export interface ImageUsage {
  image: StoredImage;
  /** Digests of its blobs and `sha256:` + chain ids of its layers, with the bytes each takes of the disk. */
  parts: Map<string, number>;
  /** Bytes of disk of all parts, and of those no other image has. */
  size: number;
  unique: number;
  /** Names of the containers that use it. */
  users: string[];
  /** A command at work keeps it. */
  isLeased: boolean;
  /** ms since the epoch. */
  lastUsed: number;
}

export interface Usage {
  images: ImageUsage[];
  /** Bytes of disk of everything, what no image has included. */
  total: number;
  /** Bytes that no image has: what interrupted pulls and other tools left. */
  unreferenced: number;
}

/** Layers are measured the first time, which reads their directories. */
export function usage(store: Store, layout: Layout, images: StoredImage[]): Usage {
  store.prepare();
  const uses: Uses = { leased: store.leased(), users: imageUsers(layout) };
  const sizes = new Map<string, number>();
  for (const { digest, size } of blobs(store)) sizes.set(digest, size);
  const counts = new Map<string, number>();
  const measured = images.map((image) => {
    const record = store.record(image.manifestDigest);
    const parts = new Map<string, number>();
    for (const digest of record?.blobs ?? []) parts.set(`blob ${digest}`, sizes.get(digest) ?? 0);
    for (const layer of layersOf(record)) parts.set(`layer ${layer}`, layerSize(store, layer.slice('sha256:'.length)));
    // What its index has besides: images of other platforms, attestations.
    const entry = store.index().manifests.find(({ digest }) => digest === image.manifestDigest);
    for (const digest of entry ? besideDigests(store, entry) : []) {
      const bytes = sizes.get(digest);
      if (bytes !== undefined) parts.set(`blob ${digest}`, bytes);
      else if (store.hasLayer(digest.slice('sha256:'.length))) {
        parts.set(`layer ${digest}`, layerSize(store, digest.slice('sha256:'.length)));
      }
    }
    for (const part of parts.keys()) counts.set(part, (counts.get(part) ?? 0) + 1);
    return { image, parts };
  });
  let referenced = 0;
  const known = new Set<string>();
  for (const { parts } of measured) {
    for (const [part, bytes] of parts) {
      if (!known.has(part)) referenced += bytes;
      known.add(part);
    }
  }
  let unreferenced = 0;
  for (const [digest, bytes] of sizes) if (!known.has(`blob ${digest}`)) unreferenced += bytes;
  for (const { digest, size } of partials(store)) if (!uses.leased.has(digest)) unreferenced += size;
  return {
    images: measured.map(({ image, parts }) => ({
      image,
      parts,
      size: sum(parts, () => true),
      unique: sum(parts, (part) => counts.get(part) === 1),
      users: usersOf(image, uses),
      isLeased: uses.leased.has(image.manifestDigest),
      lastUsed: store.records.lastUsed(image.manifestDigest),
    })),
    total: referenced + unreferenced,
    unreferenced,
  };
}

function sum(parts: Map<string, number>, counts: (part: string) => boolean): number {
  let bytes = 0;
  for (const [part, size] of parts) if (counts(part)) bytes += size;
  return bytes;
}
