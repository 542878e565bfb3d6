/** What steps read of other vertices: found, told by digests for their keys, and opened once a step is run. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import type { CopyPaths, VertexId } from '../../schemas/build.ts';
import { digestItem, type Source, select } from './select.ts';
import type { Solving } from './solving.ts';
import { chainOf, openView, type Tree } from './tree.ts';

export class Inputs {
  readonly #solving: Solving;
  readonly #tree: (id: VertexId) => Promise<Tree>;
  readonly #signal: AbortSignal;

  constructor(solving: Solving, tree: (id: VertexId) => Promise<Tree>, signal: AbortSignal) {
    this.#solving = solving;
    this.#tree = tree;
    this.#signal = signal;
  }

  /** The files a vertex stands for, a directory of the machine or a tree; open until `stack` is disposed. */
  async source(id: VertexId, stack: DisposableStack): Promise<Source> {
    const { graph, sources, store, host, session } = this.#solving;
    const directory = await sources.directory(graph.vertices[id]!);
    if (directory) return sources.source(directory);
    const view = openView(store, host.kernel.filesystem, await this.#tree(id));
    if (view) return { root: stack.use(view).root, isContext: false };
    const empty = openSync(session.emptyDirectory, constants.O_DIRECTORY);
    stack.defer(() => closeSync(empty));
    return { root: empty, isContext: false };
  }

  /**
   * Digest of what `wanted` means of a vertex, in hex. A tree never changes: what was found in it is remembered by its chain
   * id, and it is not even opened again.
   * @param isNamed what the files are called counts too.
   * @throws StackError build.not-found
   */
  async digest(id: VertexId, { input: _, ...wanted }: CopyPaths, exclude: string[], isNamed: boolean): Promise<string> {
    const { graph, sources, records } = this.#solving;
    const isDirectory = (await sources.directory(graph.vertices[id]!)) !== undefined;
    const chain = isDirectory ? undefined : chainOf(await this.#tree(id));
    const question = JSON.stringify([chain, wanted, exclude, isNamed]);
    const known = chain === undefined ? undefined : records.found(question);
    if (known !== undefined) return known;
    const digest = await this.#digest(id, { input: 0, ...wanted }, exclude, isNamed);
    if (chain !== undefined) records.keepFound(question, { chain, digest });
    return digest;
  }

  async #digest(id: VertexId, wanted: CopyPaths, exclude: string[], isNamed: boolean): Promise<string> {
    const verbs = this.#solving.host.kernel.filesystem;
    using stack = new DisposableStack();
    const source = await this.source(id, stack);
    const hash = createHash('sha256');
    for (const item of select(verbs, source, wanted, exclude)) {
      await digestItem(verbs, isNamed ? item : { ...item, name: '' }, hash, this.#signal);
    }
    return hash.digest('hex');
  }
}
