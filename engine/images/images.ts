/** Images: found, pulled, loaded, listed and removed. Only what `up` needs each time is loaded at once. */
import type { Readable } from 'node:stream';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import { otherPlatform } from './beside.ts';
import type { ImageProgress } from './install.ts';
import { fits, parsePlatform } from './platform.ts';
import type { Pushed } from './push.ts';
import { familiar, parseReference, type Reference } from './reference.ts';
import type { Timing } from './registry/registry.ts';
import { refName, Store, sourceDigest } from './store.ts';

export type { ImageProgress } from './install.ts';
export type { Pushed } from './push.ts';
export { familiar, parseReference } from './reference.ts';

export interface PullOptions {
  /** `missing` takes what the store has; `always` asks the registry whether the name still means the same. */
  policy?: 'missing' | 'always';
  /** `linux/arm64`; absent: this machine's. */
  platform?: string | undefined;
  /** The name goes on meaning what it means in the store: the image of another platform than this machine's stays nameless. */
  keepsName?: boolean;
  onProgress?: (progress: ImageProgress) => void;
  signal?: AbortSignal | undefined;
}

export interface PushOptions {
  onProgress?: (progress: ImageProgress) => void;
  signal?: AbortSignal | undefined;
}

export interface LoadOptions {
  platform?: string | undefined;
  onProgress?: (progress: ImageProgress & { name: string }) => void;
  signal?: AbortSignal | undefined;
}

export interface RemoveOptions {
  /** An image that containers use loses its names; one of several repositories goes by its id. */
  isForced?: boolean;
  /** Only the name goes: the image stays, nameless. */
  keepsContent?: boolean;
}

export interface Removed {
  /** Names taken away. */
  untagged: string[];
  /** Digests of manifests and layers that are gone. */
  deleted: string[];
  /** Bytes of disk that are free now. */
  bytes: number;
}

export interface Referrers {
  /** Of the manifest or index the name means at the registry. */
  digest: string;
  referrers: Descriptor[];
}

export interface Images {
  /**
   * The image under a name in the store, whole, or undefined. Takes well under a millisecond: neither network nor schema.
   * With a platform: only where the image is made for it. @throws StackError `image.reference`, `image.store`
   */
  find(reference: string, platform?: string): StoredImage | undefined;
  /** As find. @throws StackError `image.not-found` where there is none */
  get(reference: string, platform?: string): StoredImage;
  /** @throws StackError of the image group; `plan.interrupted` after the signal */
  pull(reference: string, options?: PullOptions): Promise<StoredImage>;
  /**
   * Sends an image of the store to the registry its name begins with; blobs that are there are not sent.
   * @throws StackError of the image group; `plan.interrupted` after the signal
   */
  push(reference: string, options?: PushOptions): Promise<Pushed>;
  /** What refers to an image at its registry, of one artifact type where that is given. @throws StackError of the image group */
  referrers(reference: string, artifactType?: string, signal?: AbortSignal): Promise<Referrers>;
  /**
   * Adds the images of an archive: `docker save`'s or an OCI layout, as a tar (plain, gzip, zstd) or a directory.
   * @throws StackError `image.archive`, `image.hostile-archive`, `image.digest-mismatch`, `image.truncated`
   */
  load(source: string | Readable, options?: LoadOptions): Promise<StoredImage[]>;
  /** Every whole image, nameless ones too, in order of name. */
  list(): StoredImage[];
  /** By name, or by the start of an id (at least 4 hex digits). @throws StackError `image.not-found`, `image.reference` */
  inspect(reference: string): StoredImage & { manifest: Manifest };
  /**
   * Takes a name away, and the image with its last name; by id all names.
   * @throws StackError `image.in-use` naming the containers, `image.not-found`, `image.reference`
   */
  remove(reference: string, options?: RemoveOptions): Promise<Removed>;
  /**
   * As long as it is held, images that get and pull of this object answer are not removed by anybody: a command holds it
   * from before it looks an image up until a container's directory names it.
   */
  hold(): Hold;
  /** The store itself, for what reads and keeps it: prune, usage, save. */
  readonly store: Store;
}

export interface Hold extends Disposable {
  /** As get, kept and counted as used. @throws StackError `image.not-found` */
  use(reference: string, platform?: string): Promise<StoredImage>;
}

/** `timing` shortens waits in tests. */
export function createImages(host: Host, timing?: Partial<Timing>): Images {
  const store = new Store(host);

  const find: Images['find'] = (text, platform) => {
    const reference = parseReference(text);
    const descriptor = describe(store, reference);
    const image = descriptor && store.image(descriptor);
    if (platform === undefined) return image;
    const wanted = parsePlatform(platform);
    return image && fits(wanted, image.config) ? image : otherPlatform(store, reference.name, wanted);
  };

  const get: Images['get'] = (text, platform) => {
    const image = /^(?:sha256:)?[0-9a-f]{64}$/.test(text)
      ? byId(store, text)
      : (find(text, platform) ?? byId(store, text));
    if (image) return image;
    throw new StackError('image.not-found', {
      message: `There is no image ${familiar(text)}${platform ? ` for ${platform}` : ''} in the store.`,
      hint: `\`stack image pull ${text}\` brings it; \`stack image ls\` lists what there is.`,
      resource: `image ${text}`,
    });
  };

  /** By name only; one that is not whole can be removed too. */
  const entry = (text: string) => {
    const name = nameOf(text);
    const found = store.index().manifests.find(({ annotations }) => name && annotations?.[refName] === name);
    if (!found) return undefined;
    const id = store.record(found.digest)?.id ?? found.digest;
    return { id, manifestDigest: found.digest, names: namesIn(store.index().manifests, found.digest) };
  };

  return {
    find,
    get,
    async pull(text, { policy = 'missing', platform, keepsName = false, onProgress = () => {}, signal } = {}) {
      const reference = parseReference(text);
      const present = find(text, platform);
      // A digest means the same forever.
      if (present && (policy === 'missing' || reference.digest) && isWhole(store, present)) return present;
      const known = present ? undefined : describe(store, reference);
      if (known && policy === 'missing' && !keepsName) {
        const { repair } = await import('./load.ts');
        try {
          const repaired = await repair(store, host.kernel.addon, known, reference.name, {
            platform,
            onProgress,
            signal,
          });
          if (!platform || fits(parsePlatform(platform), repaired.config)) return repaired;
        } catch (thrown) {
          if (signal?.aborted) throw thrown;
          // Not whole here: the registry has it.
        }
      }
      const [{ pull }, { defaultTiming }] = await Promise.all([import('./pull.ts'), import('./registry/registry.ts')]);
      const wanted = platform === undefined ? undefined : parsePlatform(platform);
      return pull(
        store,
        host.kernel.addon,
        host.settings,
        { ...defaultTiming, ...timing },
        {
          reference,
          platform: wanted,
          keepsName,
          present: present && isWhole(store, present) ? present : undefined,
          onProgress,
          signal: signal ?? new AbortController().signal,
        },
      );
    },
    async push(text, { onProgress = () => {}, signal = new AbortController().signal } = {}) {
      const reference = parseReference(text);
      const image = get(text);
      const [{ push }, { defaultTiming }] = await Promise.all([import('./push.ts'), import('./registry/registry.ts')]);
      return push(store, host.settings, { ...defaultTiming, ...timing }, { reference, image, onProgress, signal });
    },
    async referrers(text, artifactType, signal = new AbortController().signal) {
      const { findReferrers } = await import('./find-referrers.ts');
      return findReferrers(parseReference(text), host.settings, timing, artifactType, signal);
    },
    async load(source, options = {}) {
      const { load } = await import('./load.ts');
      return load(store, host.kernel.addon, source, options);
    },
    list() {
      const images = new Map<string, StoredImage>();
      for (const descriptor of store.index().manifests) {
        const image = images.has(descriptor.digest) ? undefined : store.image(descriptor);
        if (image) images.set(descriptor.digest, image);
      }
      const key = ({ names, id }: StoredImage) => names[0] ?? `~${id}`;
      return [...images.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    },
    inspect(text) {
      const image = get(text);
      return { ...image, manifest: store.manifest(image.manifestDigest) };
    },
    async remove(text, options = {}) {
      const image = entry(text) ?? get(text);
      const name = image.names.find((candidate) => candidate === nameOf(text));
      const { remove } = await import('./remove.ts');
      return remove(store, host.layout, image, name, options);
    },
    hold() {
      const lease = store.lease();
      return {
        async use(text, platform) {
          const before = get(text, platform);
          await lease.keep([before.manifestDigest]);
          // It may have gone or moved until the lease held.
          const image = get(text, platform);
          if (image.manifestDigest !== before.manifestDigest) await lease.keep([image.manifestDigest]);
          store.records.touch(image.manifestDigest);
          return image;
        },
        [Symbol.dispose]: () => lease[Symbol.dispose](),
      };
    },
    store,
  };
}

/** The entry of index.json a reference means. */
function describe(store: Store, reference: Reference): Descriptor | undefined {
  const { manifests } = store.index();
  const found = manifests.find(({ annotations }) => annotations?.[refName] === reference.name);
  if (found || !reference.digest) return found;
  // Pulled by tag, asked for by digest: the same where the repository is.
  const repository = `${reference.registry}/${reference.repository}`;
  return manifests.find(({ digest, annotations }) => {
    const isIt = digest === reference.digest || annotations?.[sourceDigest] === reference.digest;
    return isIt && annotations?.[refName]?.replace(/[:@][^/]*$/, '') === repository;
  });
}

/** No blob was lost or taken out as damaged: otherwise it is fetched again. */
function isWhole(store: Store, { manifestDigest }: StoredImage): boolean {
  return store.record(manifestDigest)?.blobs.every((digest) => store.hasBlob(digest)) ?? false;
}

function namesIn(manifests: Descriptor[], digest: string): string[] {
  return manifests.flatMap((each) => {
    const name = each.annotations?.[refName];
    return each.digest === digest && name ? [name] : [];
  });
}

function byId(store: Store, text: string): StoredImage | undefined {
  const [, hex] = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text) ?? [];
  if (!hex) return undefined;
  const found = new Map<string, StoredImage>();
  for (const descriptor of store.index().manifests) {
    const image = store.record(descriptor.digest)?.id.startsWith(`sha256:${hex}`) ? store.image(descriptor) : undefined;
    if (image) found.set(image.id, image);
  }
  if (found.size > 1) {
    throw new StackError('image.reference', {
      message: `Image id ${text} is not unique: ${[...found.keys()].join(', ')}.`,
      hint: 'Give more digits.',
    });
  }
  return [...found.values()][0];
}

function nameOf(text: string): string | undefined {
  try {
    return parseReference(text).name;
  } catch {
    return undefined;
  }
}
