/**
 * Carries out a graph: every vertex once, as soon as what it reads is there. A step whose key is known is not run: its
 * layers are in the store.
 */
import type { ImageOperation, Vertex, VertexId } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StepRecord } from '../images/build-cache.ts';
import { chainIds } from '../images/layer.ts';
import { readCache, type SolvedStep } from './cache-source.ts';
import { changedMeanwhile, located } from './failure.ts';
import { NewLayer } from './new-layer.ts';
import { isStill, readsMachine, type Solving } from './solving.ts';
import { Steps } from './steps.ts';
import { emptyTree, isPresent, type Tree } from './tree.ts';

export class Solver implements Disposable {
  /** By key. */
  readonly steps = new Map<string, SolvedStep>();
  readonly #solving: Solving;
  readonly #trees = new Map<VertexId, Promise<Tree>>();
  readonly #created = new Map<VertexId, string>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #work: Steps;

  constructor(solving: Solving) {
    this.#solving = solving;
    this.#signal = AbortSignal.any([solving.signal, this.#stop.signal]);
    this.#work = new Steps(solving, (id) => this.tree(id), this.#signal);
  }

  /** The first failure ends everything else. @throws a StackError; what had begun has ended then. */
  async solve(vertices: VertexId[]): Promise<Tree[]> {
    const settled = await Promise.allSettled(vertices.map((id) => this.tree(id)));
    await Promise.allSettled(this.#trees.values());
    const [packed] = await Promise.allSettled([this.#work.packed()]);
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed) throw this.#stop.signal.reason ?? failed.reason;
    if (packed!.status === 'rejected') throw packed!.reason;
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
    let turn: Disposable | undefined;
    try {
      this.#signal.throwIfAborted();
      const work = await this.#work.prepare(vertex, base);
      const key = await work.key();
      const isAnew = vertex.ignoreCache === true;
      const finished = await this.#finished(vertex, key, isAnew);
      if (!finished) turn = await this.#solving.turns.take(key, this.#signal);
      const found = finished ?? (await this.#found(key, base, isAnew));
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
    } finally {
      // A build that waits for its turn wants the blob too: another one, made once more, would be another image.
      const giveBack = () => turn?.[Symbol.dispose]();
      void (this.#work.packing(vertex.id) ?? Promise.resolve()).then(giveBack, giveBack);
    }
  }

  /** A step that nobody works on any more, its blob included: it is nobody's turn. */
  async #finished({ id }: Vertex, key: string, isAnew: boolean): Promise<StepRecord | undefined> {
    const known = await this.#known(key, isAnew);
    if (!known || !this.#solving.exported.has(id)) return known;
    const made = known.diffIds.at(-1);
    return made !== undefined && this.#solving.records.blobOf(made) ? known : undefined;
  }

  async #known(key: string, isAnew: boolean): Promise<StepRecord | undefined> {
    const { records, begunAt } = this.#solving;
    const known = records.find(key);
    // Without the cache, too, a step that several builds share runs once: their images fit each other.
    return known && (!isAnew || known.createdAt >= begunAt) && (await this.#holds(known)) ? known : undefined;
  }

  async #found(key: string, base: Tree, isAnew: boolean): Promise<StepRecord | undefined> {
    const { cacheFrom } = this.#solving;
    const known = await this.#known(key, isAnew);
    return known ?? (await readCache(isAnew ? [] : cacheFrom, key, base, { ...this.#solving, signal: this.#signal }));
  }

  /** Kept from removal first, looked at then. */
  async #holds(tree: Tree): Promise<boolean> {
    await this.#solving.lease.keep(chainIds(tree.diffIds).map((chain) => `sha256:${chain}`));
    return isPresent(this.#solving.store, tree);
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

  [Symbol.dispose](): void {
    this.#work[Symbol.dispose]();
  }
}
