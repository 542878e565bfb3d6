/** Steps made ready: the key of each, and what makes its layer where the cache has none. */
import { closeSync } from 'node:fs';
import type { BindMount, CopyOperation, MkdirOperation, RunOperation, Vertex, VertexId } from '../../schemas/build.ts';
import { chainIds } from '../images/layer.ts';
import { imageAccounts, resolveUser } from '../runtime/users.ts';
import { ContextCopies, mountedPath } from './context-copy.ts';
import { type Copying, copyAll, makeDirectories, selectAll, withGroup } from './copy.ts';
import { exited, located as locatedAt } from './failure.ts';
import { Inputs } from './inputs.ts';
import { type Content, copyKey, mkdirKey, runKey } from './key.ts';
import { diffIdOf, NewLayer } from './new-layer.ts';
import { packedDiffId } from './pack.ts';
import type { Source } from './select.ts';
import type { Solving, Work } from './solving.ts';
import { chainOf, directoriesOf, type Tree } from './tree.ts';

export class Steps implements Disposable {
  readonly #solving: Solving;
  readonly #tree: (id: VertexId) => Promise<Tree>;
  readonly #signal: AbortSignal;
  readonly #inputs: Inputs;
  readonly #copies: ContextCopies;
  readonly #packing = new Map<VertexId, Promise<void>>();

  /** @param tree what comes of a vertex. */
  constructor(solving: Solving, tree: (id: VertexId) => Promise<Tree>, signal: AbortSignal) {
    this.#solving = solving;
    this.#tree = tree;
    this.#signal = signal;
    this.#inputs = new Inputs(solving, tree, signal);
    this.#copies = new ContextCopies(solving.store, signal);
  }

  async prepare(vertex: Vertex, base: Tree): Promise<Work> {
    const { operation } = vertex;
    if (operation.kind === 'copy') return this.#copy(vertex as Vertex<CopyOperation>, base);
    if (operation.kind === 'run') return this.#run(vertex as Vertex<RunOperation>, base);
    const mkdir = operation as MkdirOperation;
    return {
      key: () => mkdirKey(mkdir, chainOf(base), this.#solving.epoch),
      run: () =>
        this.#layer(vertex, base, (layer) =>
          this.#into(layer, base, { destination: mkdir.path, chown: mkdir.owner }, (copying) => {
            closeSync(makeDirectories(copying, mkdir.path, mkdir.mode));
          }),
        ),
    };
  }

  async #copy(vertex: Vertex<CopyOperation>, base: Tree): Promise<Work> {
    const { host, epoch } = this.#solving;
    const { operation, inputs } = vertex;
    const key = async () => {
      const contents: Content[] = [];
      for (const source of operation.sources) {
        if (source.type === 'inline') contents.push(source);
        else contents.push(await this.#inputs.digest(inputs[source.input]!, source, operation.exclude, true));
      }
      return copyKey(operation, chainOf(base), contents, epoch);
    };
    const run = async () => {
      using stack = new DisposableStack();
      const opened = new Map<number, Source>();
      for (const source of operation.sources) {
        if (source.type === 'inline' || opened.has(source.input)) continue;
        opened.set(source.input, await this.#inputs.source(inputs[source.input]!, stack));
      }
      const selected = selectAll(host.kernel.filesystem, operation, (input) => opened.get(input)!);
      const copy = (copying: Copying) => copyAll(copying, selected);
      return await this.#layer(vertex, base, (layer) => this.#into(layer, base, operation, copy));
    };
    return { key, run };
  }

  async #run(vertex: Vertex<RunOperation>, base: Tree): Promise<Work> {
    const { operation, inputs } = vertex;
    const digestOf = (mount: RunOperation['mounts'][number]) =>
      'input' in mount && mount.input !== undefined
        ? this.#inputs.digest(inputs[mount.input]!, mountedPath(mount.source), [], false)
        : undefined;
    const contextDirectory = (mount: BindMount) =>
      this.#contextCopy(inputs[mount.input!]!, mount.source, async () => (await digestOf(mount))!);
    return {
      key: async () => {
        const digests: (string | undefined)[] = [];
        for (const mount of operation.mounts) digests.push(await digestOf(mount));
        return runKey(operation, chainOf(base), digests, this.#solving.epoch);
      },
      run: () => this.#layer(vertex, base, (layer) => this.#process(vertex, base, layer, contextDirectory)),
    };
  }

  async #process(
    vertex: Vertex<RunOperation>,
    base: Tree,
    layer: NewLayer,
    contextDirectory: (mount: BindMount) => Promise<string | undefined>,
  ): Promise<void> {
    const { operation, inputs } = vertex;
    const { host, store, session, secrets, ssh, caches, memory, emit } = this.#solving;
    const signal = this.#signal;
    const [{ prepareMounts }, { runStep }] = await Promise.all([import('./mounts.ts'), import('./run.ts')]);
    await using mounts = await prepareMounts({
      store,
      layer,
      mounts: operation.mounts,
      tree: (input) => this.#tree(inputs[input]!),
      contextDirectory,
      secrets,
      ssh,
      run: session.run,
      caches,
      signal,
    });
    const proxies = Object.entries(vertex.proxy ?? {}).map(([name, value]) => `${name}=${value}`);
    const environment = [...proxies, ...mounts.environment];
    let tail: Buffer = Buffer.alloc(0);
    const onOutput = (bytes: Buffer) => {
      tail = Buffer.concat([tail, bytes]).subarray(-8192);
      emit({ type: 'output', vertex, bytes });
    };
    const code = await runStep({
      ...{ host, store, session, base, layer, operation, mounts, environment, memory, signal, onOutput },
    });
    if (code === 0) return;
    throw exited(vertex.name, code, tail.toString('utf8'), store.layers);
  }

  async #contextCopy(id: VertexId, path: string, digest: () => Promise<string>): Promise<string | undefined> {
    const { sources, graph } = this.#solving;
    const directory = await sources.directory(graph.vertices[id]!);
    return directory && (await this.#copies.of(sources.source(directory), path, digest));
  }

  /** Makes a layer of what `fill` does to it. */
  async #layer(vertex: Vertex, base: Tree, fill: (layer: NewLayer) => Promise<void> | void): Promise<Tree> {
    const { store, lease, exported } = this.#solving;
    using layer = new NewLayer(store, base);
    await fill(layer);
    this.#signal.throwIfAborted();
    const diffId = exported.has(vertex.id)
      ? await this.#pack(vertex, layer)
      : await diffIdOf(this.#solving, layer.upper, this.#signal);
    await lease.keep([`sha256:${chainIds([...base.diffIds, diffId]).at(-1)!}`]);
    return await layer.publish(diffId);
  }

  async #pack(vertex: Vertex, layer: NewLayer): Promise<string> {
    const { diffId, packed } = await packedDiffId(this.#solving, layer.upper, this.#signal);
    const located = packed.catch((thrown: unknown) => {
      throw locatedAt(thrown, vertex);
    });
    // Told by `packed`, and not before.
    located.catch(() => {});
    this.#packing.set(vertex.id, located);
    return diffId;
  }

  /** The blob of what a step made is in the store, or has failed. Undefined where there is none to wait for. */
  packing(id: VertexId): Promise<void> | undefined {
    return this.#packing.get(id);
  }

  /** The blobs of all layers that an image has are in the store. @throws what writing one met: a full disk */
  async packed(): Promise<void> {
    await Promise.allSettled(this.#packing.values());
    await Promise.all(this.#packing.values());
  }

  async #into(
    layer: NewLayer,
    base: Tree,
    { destination, chown, chmod }: { destination: string; chown?: string | undefined; chmod?: string | undefined },
    work: (copying: Copying) => Promise<void> | void,
  ): Promise<void> {
    const { host, store, epoch } = this.#solving;
    const root = layer.mount();
    try {
      const accounts = () =>
        imageAccounts(host.kernel, { id: chainOf(base) || 'scratch', layers: directoriesOf(store, base) });
      const owner = chown === undefined ? undefined : resolveUser(accounts(), withGroup(chown), [], 'the build step');
      const now = epoch === undefined ? BigInt(Date.now()) * 1_000_000n : BigInt(epoch) * 1_000_000_000n;
      await work({ verbs: host.kernel.filesystem, root, destination, owner, chmod, nowNs: now, signal: this.#signal });
    } finally {
      layer.unmount(root);
    }
  }

  [Symbol.dispose](): void {
    this.#copies[Symbol.dispose]();
  }
}
