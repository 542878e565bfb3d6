/** What a solver works with, and what it tells. */
import type { BuildGraph, Vertex, VertexId } from '../../schemas/build.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import type { Lease } from '../images/leases.ts';
import type { Store } from '../images/store.ts';
import type { Records } from './records.ts';
import type { BuildSession } from './session.ts';
import type { Sources } from './sources.ts';
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
  /** Directories with steps of other machines. */
  cacheFrom: string[];
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
  emit(event: BuildEvent): void;
  signal: AbortSignal;
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
