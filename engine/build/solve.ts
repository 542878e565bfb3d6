/**
 * Carries out a graph: every vertex once, as soon as what it reads is there. A step whose key is known is not run: its
 * layers are in the store.
 */
import { closeSync, constants, openSync } from 'node:fs';
import type {
  CopyOperation,
  ImageOperation,
  MkdirOperation,
  RunOperation,
  Vertex,
  VertexId,
} from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StepRecord } from '../images/build-cache.ts';
import { chainIds } from '../images/layer.ts';
import { imageAccounts, resolveUser } from '../runtime/users.ts';
import { readCache, type SolvedStep } from './cache-source.ts';
import { copyContext, digestMounted } from './context-copy.ts';
import { type Copying, copyAll, digestOf, makeDirectories, selectAll, withGroup } from './copy.ts';
import { changedMeanwhile, exited, located } from './failure.ts';
import { copyKey, mkdirKey, runKey } from './key.ts';
import { diffIdOf, NewLayer } from './new-layer.ts';
import { packedDiffId } from './pack.ts';
import type { Source } from './select.ts';
import { isStill, readsMachine, type Solving, type Work } from './solving.ts';
import { chainOf, directoriesOf, emptyTree, isPresent, openView, type Tree, type View } from './tree.ts';

export class Solver {
  /** By key. */
  readonly steps = new Map<string, SolvedStep>();
  readonly #solving: Solving;
  readonly #trees = new Map<VertexId, Promise<Tree>>();
  readonly #created = new Map<VertexId, string>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(solving: Solving) {
    this.#solving = solving;
    this.#signal = AbortSignal.any([solving.signal, this.#stop.signal]);
  }

  /** The first failure ends everything else. @throws a StackError; what had begun has ended then. */
  async solve(vertices: VertexId[]): Promise<Tree[]> {
    const settled = await Promise.allSettled(vertices.map((id) => this.tree(id)));
    await Promise.allSettled(this.#trees.values());
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed) throw this.#stop.signal.reason ?? failed.reason;
    return settled.map((one) => (one as PromiseFulfilledResult<Tree>).value);
  }

  tree(id: VertexId): Promise<Tree> {
    let tree = this.#trees.get(id);
    if (!tree) {
      tree = this.#make(this.#solving.graph.vertices[id]!);
      this.#trees.set(id, tree);
      tree.catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#stop.abort(error);
      });
    }
    return tree;
  }

  /** What came of a vertex, and when its step ran; undefined for what is no step. */
  async madeBy(id: VertexId): Promise<{ tree: Tree; createdAt: string | undefined }> {
    return { tree: await this.tree(id), createdAt: this.#created.get(id) };
  }

  async #make(vertex: Vertex): Promise<Tree> {
    const { operation } = vertex;
    switch (operation.kind) {
      case 'scratch':
        return emptyTree;
      case 'source.image':
        return this.#image(operation);
      case 'run':
      case 'copy':
      case 'mkdir':
        return this.#step(vertex, await this.tree(vertex.inputs[0]!));
      case 'merge':
        return this.#merge(vertex);
      default:
        throw new StackError('internal', { message: `A ${operation.kind} is no tree (${vertex.name}).` });
    }
  }

  #image({ digest, reference }: ImageOperation): Tree {
    const diffIds = this.#solving.images.get(digest);
    if (!diffIds) throw new StackError('internal', { message: `The image ${reference} was not resolved.` });
    return { diffIds };
  }

  /** From the cache, or run. */
  async #step(vertex: Vertex, base: Tree): Promise<Tree> {
    const begun = performance.now();
    const { emit, records } = this.#solving;
    emit({ type: 'started', vertex });
    const ms = () => Math.round(performance.now() - begun);
    try {
      this.#signal.throwIfAborted();
      using work = await this.#prepare(vertex, base);
      const key = await work.key();
      using _turn = await this.#solving.turns.take(key, this.#signal);
      const found = await this.#found(key, base, vertex.ignoreCache === true);
      const record = found ?? { diffIds: (await work.run()).diffIds, createdAt: new Date().toISOString() };
      // What was copied has to be what the key says: who changes a file and changes it back gets the first content again.
      const isKept = found !== undefined || !readsMachine(this.#solving.graph, vertex) || (await isStill(work, key));
      this.#signal.throwIfAborted();
      if (!isKept) this.#solving.warn(changedMeanwhile(vertex));
      else if (!found) records.keep(key, record);
      this.#created.set(vertex.id, record.createdAt);
      if (isKept) this.steps.set(key, { ...record, base: base.diffIds.length });
      emit({ type: 'done', vertex, ms: ms(), isCached: found !== undefined });
      return { diffIds: record.diffIds };
    } catch (thrown) {
      if (this.#signal.aborted) throw this.#signal.reason;
      const error = located(thrown, vertex);
      emit({ type: 'failed', vertex, ms: ms(), error });
      throw error;
    }
  }

  async #found(key: string, base: Tree, isAnew: boolean): Promise<StepRecord | undefined> {
    const { records, cacheFrom, begunAt } = this.#solving;
    const known = records.find(key);
    // Without the cache, too, a step that several builds share runs once: their images fit each other.
    if (known && (!isAnew || known.createdAt >= begunAt) && (await this.#holds(known))) return known;
    return await readCache(isAnew ? [] : cacheFrom, key, base, { ...this.#solving, signal: this.#signal });
  }

  /** Kept from removal first, looked at then. */
  async #holds(tree: Tree): Promise<boolean> {
    await this.#solving.lease.keep(chainIds(tree.diffIds).map((chain) => `sha256:${chain}`));
    return isPresent(this.#solving.store, tree);
  }

  async #prepare(vertex: Vertex, base: Tree): Promise<Work> {
    const { operation } = vertex;
    if (operation.kind === 'copy') return this.#prepareCopy(vertex as Vertex<CopyOperation>, base);
    if (operation.kind === 'run') return this.#prepareRun(vertex as Vertex<RunOperation>, base);
    const mkdir = operation as MkdirOperation;
    return {
      key: () => mkdirKey(mkdir, chainOf(base), this.#solving.epoch),
      run: () =>
        this.#layer(vertex, base, (layer) =>
          this.#into(layer, base, { destination: mkdir.path, chown: mkdir.owner }, (copying) => {
            closeSync(makeDirectories(copying, mkdir.path, mkdir.mode));
          }),
        ),
      [Symbol.dispose]() {},
    };
  }

  async #prepareCopy(vertex: Vertex<CopyOperation>, base: Tree): Promise<Work> {
    const { host, epoch } = this.#solving;
    const { operation, inputs } = vertex;
    const stack = new DisposableStack();
    try {
      const used = operation.sources.flatMap((source) => (source.type === 'input' ? [source.input] : []));
      const opened = new Map<number, Source>();
      for (const input of new Set(used)) opened.set(input, await this.#source(inputs[input]!, stack));
      const selected = selectAll(host.kernel.filesystem, operation, (input) => opened.get(input)!);
      return {
        key: async () =>
          copyKey(operation, chainOf(base), await digestOf(host.kernel.filesystem, selected, this.#signal), epoch),
        run: () =>
          this.#layer(vertex, base, (layer) =>
            this.#into(layer, base, operation, (copying) => copyAll(copying, selected)),
          ),
        [Symbol.dispose]: () => stack.dispose(),
      };
    } catch (error) {
      stack.dispose();
      throw error;
    }
  }

  async #prepareRun(vertex: Vertex<RunOperation>, base: Tree): Promise<Work> {
    const { operation, inputs } = vertex;
    return {
      key: async () => {
        const digests: (string | undefined)[] = [];
        for (const mount of operation.mounts) digests.push(await this.#mounted(vertex, mount));
        return runKey(operation, chainOf(base), digests, this.#solving.epoch);
      },
      run: () => this.#layer(vertex, base, (layer) => this.#run(vertex, base, layer, inputs)),
      [Symbol.dispose]() {},
    };
  }

  /** What a mount reads, as a digest. */
  async #mounted(vertex: Vertex<RunOperation>, mount: RunOperation['mounts'][number]): Promise<string | undefined> {
    if (!('input' in mount) || mount.input === undefined) return undefined;
    using stack = new DisposableStack();
    const source = await this.#source(vertex.inputs[mount.input]!, stack);
    return digestMounted(this.#solving.host.kernel.filesystem, source, mount.source, this.#signal);
  }

  async #run(vertex: Vertex<RunOperation>, base: Tree, layer: NewLayer, inputs: VertexId[]): Promise<void> {
    const { operation } = vertex;
    const { host, store, session, secrets, ssh, caches, memory, emit } = this.#solving;
    const signal = this.#signal;
    const [{ prepareMounts }, { runStep }] = await Promise.all([import('./mounts.ts'), import('./run.ts')]);
    await using mounts = await prepareMounts({
      store,
      layer,
      mounts: operation.mounts,
      tree: (input) => this.tree(inputs[input]!),
      contextDirectory: (input, path) => this.#contextCopy(inputs[input]!, path, layer),
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

  async #contextCopy(id: VertexId, path: string, layer: NewLayer): Promise<string | undefined> {
    const { sources, graph, host } = this.#solving;
    const directory = await sources.directory(graph.vertices[id]!);
    return directory && copyContext(host.kernel.filesystem, sources.source(directory), path, layer, this.#signal);
  }

  /** The files a vertex stands for: a directory of the machine, or a tree. */
  async #source(id: VertexId, stack: DisposableStack): Promise<Source> {
    const { graph, sources, store, host } = this.#solving;
    const vertex = graph.vertices[id]!;
    const directory = await sources.directory(vertex);
    if (directory) return sources.source(directory);
    const tree = await this.tree(id);
    const view: View | null = openView(store, host.kernel.filesystem, tree);
    if (view) return { root: stack.use(view).root, isContext: false };
    const empty = openSync(this.#solving.session.emptyDirectory, constants.O_DIRECTORY);
    stack.defer(() => closeSync(empty));
    return { root: empty, isContext: false };
  }

  /** Makes a layer of what `fill` does to it. */
  async #layer({ id }: Vertex, base: Tree, fill: (layer: NewLayer) => Promise<void> | void): Promise<Tree> {
    const { store, lease, exported } = this.#solving;
    using layer = new NewLayer(store, base);
    await fill(layer);
    this.#signal.throwIfAborted();
    const diffId = await (exported.has(id) ? packedDiffId : diffIdOf)(this.#solving, layer.upper, this.#signal);
    await lease.keep([`sha256:${chainIds([...base.diffIds, diffId]).at(-1)!}`]);
    const tree = await layer.publish(diffId);
    return tree;
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
      closeSync(root);
    }
  }

  /** COPY --link: layers made on nothing, laid on others as they are. */
  async #merge({ inputs }: Vertex): Promise<Tree> {
    const { store } = this.#solving;
    const [first, ...rest] = await Promise.all(inputs.map((id) => this.tree(id)));
    let tree = first!;
    for (const over of rest) {
      for (const [at, diffId] of over.diffIds.entries()) {
        const next = { diffIds: [...tree.diffIds, diffId] };
        if (!(await this.#holds(next))) {
          using layer = new NewLayer(store, tree);
          await layer.fillFrom(chainIds(over.diffIds)[at]!);
          await layer.publish(diffId);
        }
        tree = next;
      }
    }
    return tree;
  }
}
