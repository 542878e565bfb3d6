/** What a step with a bind mount sees of a directory of the machine. */
import { closeSync, constants, openSync } from 'node:fs';
import type { CopyPaths } from '../../schemas/build.ts';
import type { Store } from '../images/store.ts';
import { copyAll } from './copy.ts';
import { NewLayer } from './new-layer.ts';
import { type Source, select } from './select.ts';
import { emptyTree } from './tree.ts';

/** A path as mounts take it: no pattern, links followed. */
export const mountedPath = (path: string): CopyPaths => ({
  type: 'input',
  input: 0,
  path,
  wildcard: false,
  emptyAllowed: true,
  followSymlinks: true,
  contentsOnly: true,
  unpack: false,
});

/** Copies of parts of contexts: each content once a build, however many steps mount it. Disposing removes them. */
export class ContextCopies implements Disposable {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #made = new Map<string, Promise<string>>();
  readonly #places: NewLayer[] = [];

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /**
   * A copy of what lies at `path`: with the owners of a build, and without what the ignore file leaves out, which may be
   * secrets. Answers the directory that stands for the context's root, which is only read.
   * @param digest of what lies there, as the step's key has it.
   * @throws StackError build.not-found
   */
  of(source: Source, path: string, digest: string): Promise<string> {
    const key = `${digest} ${path}`;
    let copy = this.#made.get(key);
    if (!copy) {
      copy = this.#copy(source, path);
      this.#made.set(key, copy);
    }
    return copy;
  }

  async #copy(source: Source, path: string): Promise<string> {
    // No layer comes of it: like one in the making it lies beside the store's, locked, and is swept after a kill.
    const place = new NewLayer(this.#store, emptyTree);
    this.#places.push(place);
    const { verbs } = this.#store;
    const root = openSync(place.upper, constants.O_DIRECTORY);
    try {
      const items = select(verbs, source, mountedPath(path), []);
      const how = { type: 'item' as const, contentsOnly: true, keepsPath: false, unpack: false };
      const selected = items.map((item) => ({ ...how, item }));
      const metadata = { owner: undefined, chmod: undefined, nowNs: 0n, signal: this.#signal };
      await copyAll({ verbs, root, destination: path || '/', ...metadata }, selected);
    } finally {
      closeSync(root);
    }
    return place.upper;
  }

  [Symbol.dispose](): void {
    for (const place of this.#places.splice(0)) place[Symbol.dispose]();
  }
}
