/** One layer into the store: its blob and its unpacked directory, in one pass over its bytes. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { asStackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import { BlobWriter, digestOfFile, type Expected, mismatch } from './blob.ts';
import { isFull } from './disk-full.ts';
import type { Extractors } from './extractors.ts';
import { interruption } from './locks.ts';
import { freshMark } from './marks.ts';
import { isKeptAfter, partialSize } from './partial.ts';
import { removeTree } from './remove-tree.ts';
import type { Store } from './store.ts';

export interface LayerSource extends Expected {
  /** Digest of the plain tar, from the image's configuration. */
  diffId: string;
  /** Chain id in hex: names the unpacked directory. */
  chain: string;
  /** The bytes as they are transported, from position `from` on. */
  open(from: number): AsyncIterable<Uint8Array>;
  /** It can be opened elsewhere than at its start: what came of it is kept when the pull is interrupted. */
  isResumable: boolean;
}

export type LayerState = 'waiting' | 'pulling' | 'done' | 'present';

/** Chain ids in hex, lowest first. Source: image-spec config.md "Layer ChainID". */
export function chainIds(diffIds: string[]): string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    ids.push(
      below === undefined
        ? diffId.replace(/^.*:/, '')
        : createHash('sha256').update(`sha256:${below} ${diffId}`).digest('hex'),
    );
  }
  return ids;
}

/**
 * Adds what is missing of a layer. Two runs that want the same one take turns, and the second finds it done.
 * @throws StackError `image.digest-mismatch`, `image.truncated`, `image.hostile-archive`, `image.limit`, `image.archive`;
 * then nothing of the layer is left. After failures of the transport what came of its blob is (partial.ts).
 */
export async function addLayer(
  store: Store,
  extractors: Extractors,
  source: LayerSource,
  onProgress: (state: LayerState, bytes: number) => void,
  signal: AbortSignal,
): Promise<{ digest: string; size: number }> {
  let lock = store.tryLock(source.chain);
  if (!lock) {
    onProgress('waiting', 0);
    lock = await store.lock(source.chain, 'exclusive', signal);
  }
  using _ = lock;
  const { digest, size } = source;
  const hasLayer = store.hasLayer(source.chain);
  // Awaited everywhere: the lock goes with this function.
  if (digest === undefined || !store.hasBlob(digest, size) || !(await isSound(store, digest)))
    return await fetch(store, extractors, source, hasLayer, onProgress, signal);
  if (hasLayer) {
    const bytes = fs.statSync(store.blob(digest)).size;
    onProgress('present', bytes);
    return { digest, size: bytes };
  }
  const open = () => fs.createReadStream(store.blob(digest), { highWaterMark: 256 * 1024 });
  const stored = { ...source, open, isResumable: false };
  try {
    return await fill(store, extractors, stored, hasLayer, onProgress, signal);
  } catch (thrown) {
    // A power cut may damage a blob before it is on disk: then it is fetched anew. Any other failure would come again.
    if (signal.aborted || (await digestOfFile(store.blob(digest), digest)) === digest) throw thrown;
    fs.rmSync(store.blob(digest), { force: true });
    return await fetch(store, extractors, source, hasLayer, onProgress, signal);
  }
}

/** As {@link fill}. Where what an interrupted pull left proves wrong, once more, from the start. */
async function fetch(...args: Parameters<typeof fill>): Promise<{ digest: string; size: number }> {
  const [store, , { digest, isResumable }, , , signal] = args;
  const isResumed = isResumable && digest !== undefined && partialSize(store, digest) > 0;
  try {
    return await fill(...args);
  } catch (thrown) {
    const { code, errno } = asStackError(thrown, 'image.store');
    if (!isResumed || signal.aborted || isKeptAfter(code) || isFull(errno)) throw thrown;
    return await fill(...args);
  }
}

/** Runs the bytes of a layer through once: into its blob, and unless `hasLayer` into its directory. */
async function fill(
  store: Store,
  extractors: Extractors,
  source: LayerSource,
  hasLayer: boolean,
  onProgress: (state: LayerState, bytes: number) => void,
  signal: AbortSignal,
): Promise<{ digest: string; size: number }> {
  using blob = new BlobWriter(store, source, source.isResumable);
  using directory = hasLayer ? null : new NewDirectory(store);
  const extraction = directory && (await extractors.start(directory.root));
  try {
    const take = async (chunk: Uint8Array) => {
      if (signal.aborted) throw interruption('Adding a layer');
      await extraction?.write(chunk);
      onProgress('pulling', blob.size);
    };
    for (const chunk of blob.resume()) await take(chunk);
    if (blob.size === 0 || blob.size !== source.size) {
      for await (const chunk of source.open(blob.size)) {
        blob.write(chunk);
        await take(chunk);
      }
    }
    // Size and digest first: they tell a damaged transport from a damaged image.
    const kept = blob.commit();
    if (extraction) {
      const { diffId } = await extraction.end();
      if (diffId !== source.diffId) throw mismatch(source.diffId, diffId);
      directory.publish(source.chain);
    }
    onProgress('done', kept.size);
    return kept;
  } catch (thrown) {
    await extraction?.abort();
    if (!signal.aborted && !isKeptAfter(asStackError(thrown, 'image.store').code)) blob.discard();
    throw thrown;
  }
}

/** What no image names may be what a power cut left of an interrupted pull: it is read once more before it counts. */
async function isSound(store: Store, digest: string): Promise<boolean> {
  const path = store.blob(digest);
  if (store.index().manifests.some((image) => store.record(image.digest)?.blobs.includes(digest))) return true;
  if (fs.statSync(path).ctimeMs > Date.now() - uptime() * 1000) return true;
  return (await digestOfFile(path, digest)) === digest;
}

/** A directory that becomes a layer when it is whole. */
class NewDirectory implements Disposable {
  readonly #store: Store;
  readonly #name = `.new-${randomBytes(8).toString('hex')}`;
  readonly #lock: Fd;
  /** Descriptor of the directory to extract into. */
  readonly root: Fd;
  #isPublished = false;

  constructor(store: Store) {
    this.#store = store;
    const path = join(store.layers, this.#name);
    this.#lock = store.makeLocked(path, () => {
      fs.mkdirSync(path);
      return fs.openSync(path, fs.constants.O_DIRECTORY);
    });
    fs.mkdirSync(join(path, 'fs'));
    this.root = fs.openSync(join(path, 'fs'), fs.constants.O_DIRECTORY);
    store.verbs.fchmod(this.root, 0o755);
  }

  publish(chain: string): void {
    const path = join(this.#store.layers, this.#name);
    fs.writeFileSync(join(path, freshMark()), '');
    // One without its mark is the rest of a removal or of a power cut; its lock is ours.
    removeLayer(this.#store, chain);
    fs.renameSync(path, this.#store.layer(chain));
    this.#store.addFresh(chain);
    this.#isPublished = true;
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.root);
    if (!this.#isPublished) removeLayer(this.#store, this.#name);
    fs.closeSync(this.#lock);
  }
}

/** Removes a directory of the layers by name, however its content is named. */
export function removeLayer(store: Store, name: string): void {
  const layers = fs.openSync(store.layers, fs.constants.O_DIRECTORY);
  try {
    removeTree(store.verbs, layers, name);
  } finally {
    fs.closeSync(layers);
  }
}
