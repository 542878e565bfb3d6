/** A file tree of a build: layers of the store under each other. Its chain id is its identity: equal content, equal chain. */
import { close, closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { chainIds } from '../images/layer.ts';
import type { Store } from '../images/store.ts';

const { O_DIRECTORY } = constants;
const O_PATH = 0o10000000;

export interface Tree {
  /** Digests of the layers' plain tars, lowest first. */
  diffIds: string[];
}

export const emptyTree: Tree = { diffIds: [] };

/** Chain id of the uppermost layer, in hex; '' for the empty tree. */
export const chainOf = ({ diffIds }: Tree): string => chainIds(diffIds).at(-1) ?? '';

export const withLayer = ({ diffIds }: Tree, diffId: string): Tree => ({ diffIds: [...diffIds, diffId] });

/** Whether the store has every layer of it, whole. */
export const isPresent = (store: Store, { diffIds }: Tree): boolean =>
  chainIds(diffIds).every((chain) => store.hasLayer(chain));

/** The layers' directories, uppermost first. */
export const directoriesOf = (store: Store, { diffIds }: Tree): string[] =>
  chainIds(diffIds)
    .map((chain) => join(store.layer(chain), 'fs'))
    .reverse();

/** The tree seen as one directory. Disposing closes it, on a thread: the end of a mount waits for the kernel. */
export interface View extends Disposable {
  root: Fd;
}

/** null for the empty tree. */
export function openView(store: Store, verbs: FilesystemVerbs, tree: Tree): View | null {
  const layers = directoriesOf(store, tree).map((path) => openSync(path, O_PATH | O_DIRECTORY));
  if (layers.length === 0) return null;
  try {
    const root = verbs.overlayView(layers);
    return { root, [Symbol.dispose]: () => close(root) };
  } finally {
    for (const layer of layers) closeSync(layer);
  }
}
