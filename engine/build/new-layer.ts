/** A layer in the making: an upper directory that becomes a layer of the store when it is whole. */
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  close,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Fd } from '../../schemas/kernel.ts';
import { chainIds, removeLayer } from '../images/layer.ts';
import { layerTar } from '../images/layer-tar.ts';
import { freshMark } from '../images/marks.ts';
import { removeTree } from '../images/remove-tree.ts';
import type { Store } from '../images/store.ts';
import { copyTree } from '../volumes/tree.ts';
import type { Packing } from './pack.ts';
import type { Solving } from './solving.ts';
import { directoriesOf, type Tree, withLayer } from './tree.ts';

const { O_DIRECTORY } = constants;

const closed = promisify(close);

export class NewLayer implements Disposable {
  readonly #store: Store;
  readonly #base: Tree;
  readonly name = `.new-${randomBytes(8).toString('hex')}`;
  readonly #lock: Fd;
  #isPublished = false;
  /** Mounts that end. */
  readonly #ending: Promise<void>[] = [];
  /** Absolute. What the layer will hold lies in `upper`; everything else here goes. */
  readonly directory: string;
  readonly upper: string;
  readonly work: string;

  /** Its sweep takes away what a build that was killed left: the lock goes with the process. */
  constructor(store: Store, base: Tree) {
    this.#store = store;
    this.#base = base;
    this.directory = join(store.layers, this.name);
    this.#lock = store.makeLocked(this.directory, () => {
      mkdirSync(this.directory);
      return openSync(this.directory, O_DIRECTORY);
    });
    this.upper = this.make('fs');
    this.work = this.make('work');
  }

  /** A directory beside the layer, which goes when it is done. */
  make(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o755);
    return path;
  }

  /** Directories below the upper one, uppermost first; an empty one where the base is empty: overlayfs wants one. */
  get lower(): string[] {
    const layers = directoriesOf(this.#store, this.#base);
    return layers.length > 0 ? layers : [this.make('empty')];
  }

  /** The tree as it becomes, open to be written into. The caller gives it to `unmount`. */
  mount(): Fd {
    const fds = [...this.lower, this.upper, this.work].map((path) => openSync(path, O_DIRECTORY));
    try {
      return this.#store.verbs.overlayMount(fds.slice(0, -2), fds.at(-2)!, fds.at(-1)!);
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** Closes what `mount` opened, on a thread: that waits for the kernel, and reading the layer need not. */
  unmount(root: Fd): void {
    const ended = closed(root);
    ended.catch(() => {});
    this.#ending.push(ended);
  }

  /** Gives it to the store; a lease keeps its chain id already. Where another build was faster with the same content, that one's stays. */
  async publish(diffId: string): Promise<Tree> {
    // The store's layers are no mount's to write any more.
    await Promise.all(this.#ending);
    const tree = withLayer(this.#base, diffId);
    const chain = chainIds(tree.diffIds).at(-1)!;
    // Another build, or a pull, may be at the same layer: what is whole is never replaced under those who use it.
    using _ = await this.#store.lock(chain);
    if (this.#store.hasLayer(chain)) return tree;
    for (const name of readdirSync(this.directory)) {
      if (name !== 'fs') removeTree(this.#store.verbs, this.#lock, name);
    }
    writeFileSync(join(this.directory, freshMark()), '');
    removeLayer(this.#store, chain);
    renameSync(this.directory, this.#store.layer(chain));
    this.#store.addFresh(chain);
    this.#isPublished = true;
    return tree;
  }

  /** Gives it what a layer of the store has. @param chain its id, in hex. */
  async fillFrom(chain: string): Promise<void> {
    const from = openSync(join(this.#store.layer(chain), 'fs'), O_DIRECTORY);
    const to = openSync(this.upper, O_DIRECTORY);
    try {
      await copyTree(this.#store.verbs, from, to);
    } finally {
      closeSync(from);
      closeSync(to);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isPublished) removeLayer(this.#store, this.name);
    closeSync(this.#lock);
  }
}

/** Bytes that are hashed in one go: output of other steps, and Ctrl-C, wait for so long. */
const yieldAfter = 8 * 1024 * 1024;

/**
 * Digest of a directory as the tar of a layer.
 * Later times than `epoch` (seconds since 1970) become it.
 * @param packing gets the tar too.
 */
export async function diffIdOf(
  { store, epoch }: Pick<Solving, 'store' | 'epoch'>,
  directory: string,
  signal: AbortSignal,
  packing?: Packing,
): Promise<string> {
  const fd = openSync(directory, O_DIRECTORY);
  const hash = createHash('sha256');
  const options = epoch === undefined ? {} : { latestNs: BigInt(epoch) * 1_000_000_000n };
  let pending = 0;
  try {
    for (const piece of layerTar(store.verbs, fd, options)) {
      hash.update(piece);
      await packing?.write(piece);
      pending += piece.length;
      if (pending < yieldAfter) continue;
      pending = 0;
      await setImmediate();
      signal.throwIfAborted();
    }
  } finally {
    closeSync(fd);
  }
  return `sha256:${hash.digest('hex')}`;
}
