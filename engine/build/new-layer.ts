/** A layer in the making: an upper directory that becomes a layer of the store when it is whole. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fd } from '../../schemas/kernel.ts';
import { chainIds, removeLayer } from '../images/layer.ts';
import { removeTree } from '../images/remove-tree.ts';
import type { Store } from '../images/store.ts';
import { directoriesOf, type Tree, withLayer } from './tree.ts';

const { O_DIRECTORY } = constants;

export class NewLayer implements Disposable {
  readonly #store: Store;
  readonly #base: Tree;
  readonly name = `.new-${randomBytes(8).toString('hex')}`;
  readonly #lock: Fd;
  #isPublished = false;
  /** Of directories beside it that have no name of their own. */
  count = 0;
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

  /** The tree as it becomes, open to be written into. The caller closes it. */
  mount(): Fd {
    const fds = [...this.lower, this.upper, this.work].map((path) => openSync(path, O_DIRECTORY));
    try {
      return this.#store.verbs.overlayMount(fds.slice(0, -2), fds.at(-2)!, fds.at(-1)!);
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** Gives it to the store. Where another build was faster with the same content, that one's stays. */
  publish(diffId: string): Tree {
    const tree = withLayer(this.#base, diffId);
    const chain = chainIds(tree.diffIds).at(-1)!;
    if (this.#store.hasLayer(chain)) return tree;
    for (const name of readdirSync(this.directory)) {
      if (name !== 'fs') removeTree(this.#store.verbs, this.#lock, name);
    }
    writeFileSync(join(this.directory, this.#store.freshMark()), '');
    removeLayer(this.#store, chain);
    renameSync(this.directory, this.#store.layer(chain));
    this.#isPublished = true;
    return tree;
  }

  [Symbol.dispose](): void {
    if (!this.#isPublished) removeLayer(this.#store, this.name);
    closeSync(this.#lock);
  }
}
