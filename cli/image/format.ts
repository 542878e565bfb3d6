/** Images as `docker image ls --format json` and `docker image inspect` print them. */
import { familiar } from '../../engine/images/images.ts';
import type { Manifest, StoredImage } from '../../schemas/oci-image.ts';
import { ago, timestamp } from '../render/human.ts';
import { size } from '../render/words.ts';

export interface ImageEntry {
  /** Told by `system df -v`; here docker says N/A too. */
  Containers: 'N/A';
  SharedSize: 'N/A';
  UniqueSize: 'N/A';
  VirtualSize: string;
  CreatedAt: string;
  CreatedSince: string;
  Digest: string;
  ID: string;
  Repository: string;
  Size: string;
  Tag: string;
}

const none = '<none>';

/** One entry for each name; an image without one has a line too. */
export function imageEntries(images: StoredImage[], now: number, isWhole: boolean): ImageEntry[] {
  return images.flatMap((image) => {
    const created = image.config.created ?? '';
    const names = image.names.length > 0 ? image.names : [''];
    return names.map((name) => ({
      Containers: 'N/A',
      SharedSize: 'N/A',
      UniqueSize: 'N/A',
      VirtualSize: size(image.size),
      CreatedAt: timestamp(created),
      CreatedSince: ago(created, now),
      Digest: image.digest || none,
      ID: isWhole ? image.id : image.id.replace('sha256:', '').slice(0, 12),
      ...splitName(name),
      Size: size(image.size),
    }));
  });
}

/** Of an image's name, as docker's columns have it; both `<none>` for none. */
export function splitName(name: string): { Repository: string; Tag: string } {
  if (name === '') return { Repository: none, Tag: none };
  const short = familiar(name).replace(/@.*/, '');
  const colon = short.lastIndexOf(':');
  if (colon <= short.lastIndexOf('/')) return { Repository: short, Tag: none };
  return { Repository: short.slice(0, colon), Tag: short.slice(colon + 1) };
}

/** The document of `image inspect`, in docker's shape. */
export function imageDocument(image: StoredImage & { manifest: Manifest }): object {
  const { config } = image;
  const names = image.names.map(familiar);
  const repositories = names.map((name) => name.replace(/@.*/, '').replace(/:[^:/]+$/, ''));
  const { author, history, ...others } = config as typeof config & {
    author?: string;
    history?: { comment?: string }[];
  };
  return {
    Id: image.id,
    RepoTags: names.filter((name) => !name.includes('@')),
    RepoDigests: [...new Set(repositories)].map((repository) => `${repository}@${image.digest}`),
    Parent: '',
    Comment: history?.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: '',
    Author: author ?? '',
    Architecture: others.architecture,
    ...(others.variant ? { Variant: others.variant } : {}),
    Os: others.os,
    Size: image.size,
    Config: others.config ?? {},
    GraphDriver: {
      Name: 'overlay2',
      Data: { LowerDir: image.layers.slice(1).join(':'), UpperDir: image.layers[0] ?? '' },
    },
    RootFS: { Type: config.rootfs.type, Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
    Manifest: { digest: image.manifestDigest, ...image.manifest },
  };
}
