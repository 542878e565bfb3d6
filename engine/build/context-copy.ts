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
  readonly #made = new Map<string, Promise<{ directory: string; isRight: boolean }>>();
  readonly #places: NewLayer[] = [];

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /**
   * A copy of what lies at `path`: with the owners of a build, and without what the ignore file leaves out, which may be
   * secrets. Answers the directory that stands for the context's root, which is only read.
   * @param digest of what lies there now. Where that changes while it is copied, no other step gets the copy.
   * @throws StackError build.not-found
   */
  async of(source: Source, path: string, digest: () => Promise<string>): Promise<string> {
    const before = await digest();
    const key = `${before} ${path}`;
    const made = await this.#made.get(key);
    if (made?.isRight) return made.directory;
    const copy = this.#copy(source, path).then(async (directory) => ({
      directory,
      isRight: (await digest()) === before,
    }));
    this.#made.set(key, copy);
    return (await copy).directory;
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
