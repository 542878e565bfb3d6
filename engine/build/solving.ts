/** What a solver works with, and what it tells. */
import type { BuildGraph, Vertex, VertexId } from '../../schemas/build.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import type { Lease } from '../images/leases.ts';
import type { Store } from '../images/store.ts';
import type { CacheSource } from './cache-source.ts';
import type { Records } from './records.ts';
import type { BuildSession } from './session.ts';
import type { Sources } from './sources.ts';
import type { Tree } from './tree.ts';
import type { Turns } from './turns.ts';

export type BuildEvent =
  | { type: 'started'; vertex: Vertex }
  | { type: 'output'; vertex: Vertex; bytes: Buffer }
  | { type: 'done'; vertex: Vertex; ms: number; isCached: boolean }
  | { type: 'failed'; vertex: Vertex; ms: number; error: StackError };

export interface Solving {
  host: Host;
  store: Store;
  lease: Lease;
  records: Records;
  sources: Sources;
  turns: Turns;
  /** With steps of other machines. */
  cacheFrom: CacheSource[];
  /** When the builds at work together began, RFC 3339. */
  begunAt: string;
  warn(error: StackError): void;
  session: BuildSession;
  graph: BuildGraph;
  /** Vertices whose layers the image will have. */
  exported: Set<VertexId>;
  /** Layers of the images that were resolved, by digest. */
  images: Map<string, string[]>;
  secrets: Map<string, Buffer>;
  ssh: Map<string, string>;
  /** Folder of cache mounts. */
  caches: string;
  epoch: number | undefined;
  /** Bytes that a step may take. */
  memory: number | undefined;
  emit(event: BuildEvent): void;
  signal: AbortSignal;
}

/** A step that is ready to run. */
export interface Work {
  /** Reads what it is made of anew each time: files of the machine may have changed. */
  key(): Promise<string> | string;
  run(): Promise<Tree>;
}

/** Directories of the machine are written to by others, too, while a step reads them. */
export const readsMachine = ({ vertices }: BuildGraph, { inputs }: Vertex): boolean =>
  inputs.some((id) => vertices[id]!.operation.kind === 'source.context');

/** Whether what a step reads still has the key that it had. What cannot be read any more has not. */
export async function isStill(work: Work, key: string): Promise<boolean> {
  try {
    return (await work.key()) === key;
  } catch {
    return false;
  }
}

/** The vertices that `result` is laid on, itself included: their layers are those of its image. */
export function layeredUnder({ vertices }: BuildGraph, result: VertexId): Set<VertexId> {
  const found = new Set<VertexId>();
  const todo = [result];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    const { operation, inputs } = vertices[id]!;
    todo.push(...(operation.kind === 'merge' ? inputs : inputs.slice(0, 1)));
  }
  return found;
}
