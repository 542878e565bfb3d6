/**
 * Names that stand for an OCI index: an image of several platforms, or one with attestations. On disk such an entry of index.json
 * is the index, which other tools read; here it is the image of it that runs on this machine, with the index beside it.
 */
import { readFileSync } from 'node:fs';
import type { Descriptor, Index, Platform, StoredImage } from '../../schemas/oci-image.ts';
import { isImageType, ociIndex, ociManifest } from './media.ts';
import { suitability } from './platform.ts';
import { refName, type Store } from './store.ts';

/** In memory: digest, size and platform of the index, as JSON. */
const indexBeside = 'dev.stack.index';
/** On disk: of the image chosen from it. */
const imageBeside = 'dev.stack.image';
/** The name a nameless image of another platform was pulled under: it is found by it again. */
export const pulledAs = 'dev.stack.pulled-as';

type Part = Pick<Descriptor, 'digest' | 'size' | 'platform'>;

function read(entry: Descriptor, annotation: string): Part | undefined {
  try {
    const { digest, size, platform } = JSON.parse(entry.annotations?.[annotation] ?? '') as Part;
    if (!/^sha256:[0-9a-f]{64}$/.test(digest) || !Number.isSafeInteger(size)) return undefined;
    return { digest, size, ...(platform ? { platform } : {}) };
  } catch {
    return undefined;
  }
}

function exchange(entry: Descriptor, mediaType: string, from: string, to: string): Descriptor {
  const other = read(entry, from);
  if (!other) return entry;
  const { digest, size, platform, annotations, ...rest } = entry;
  const { [from]: _, ...kept } = annotations ?? {};
  const here = { digest, size, ...(platform ? { platform } : {}) };
  return { ...rest, mediaType, ...other, annotations: { ...kept, [to]: JSON.stringify(here) } };
}

/** An entry as it lies on disk as the rest of the store reads it. */
export const opened = (entry: Descriptor): Descriptor =>
  entry.mediaType === ociIndex ? exchange(entry, ociManifest, imageBeside, indexBeside) : entry;

/** And back. */
export const closed = (entry: Descriptor): Descriptor => exchange(entry, ociIndex, indexBeside, imageBeside);

/** The entry with an index beside it. */
export const beside = (entry: Descriptor, { digest, size }: Part): Descriptor => ({
  ...entry,
  annotations: { ...entry.annotations, [indexBeside]: JSON.stringify({ digest, size }) },
});

export function withoutIndex(entry: Descriptor): Descriptor {
  const { [indexBeside]: _, ...annotations } = entry.annotations ?? {};
  return { ...entry, annotations };
}

/** Digest of the index an entry stands for, if it does for one. */
export const indexOf = (entry: Descriptor): string | undefined => read(entry, indexBeside)?.digest;

/** The image for a platform under a name that means another one first; undefined where there is none, whole. */
export function otherPlatform(store: Store, name: string, wanted: Platform): StoredImage | undefined {
  const { manifests } = store.index();
  const candidates = manifests.flatMap((entry): Descriptor[] => {
    if (entry.annotations?.[pulledAs] === name) return [entry];
    const index = entry.annotations?.[refName] === name ? indexOf(entry) : undefined;
    if (index === undefined) return [];
    const parts = (JSON.parse(readFileSync(store.blob(index), 'utf8')) as Index).manifests;
    return parts.filter(({ mediaType }) => isImageType(mediaType));
  });
  const images = candidates.flatMap((entry) => {
    const image = store.image(entry);
    const score = image ? suitability(wanted, image.config) : 0;
    return image && score > 0 ? [{ image: { ...image, names: [name] }, score }] : [];
  });
  return images.sort((a, b) => b.score - a.score)[0]?.image;
}
