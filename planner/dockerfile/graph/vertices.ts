/** The vertices of a graph under way, by identity. */
import { createHash } from 'node:crypto';
import type { Operation, Vertex, VertexId } from '../../../schemas/build.ts';

export type VertexMeta = Omit<Vertex, 'id' | 'operation' | 'inputs'>;

/** JSON with sorted keys, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    const entries = Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}

/** Identity of an operation on inputs: equal for equal work, whatever it is called and wherever it is written. */
export function vertexId(operation: Operation, inputs: VertexId[]): VertexId {
  const text = canonicalJson({ operation, inputs });
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export class Vertices {
  #vertices = new Map<VertexId, Vertex>();

  /** The first that asks for a piece of work names it. */
  add(operation: Operation, inputs: VertexId[], meta: VertexMeta): VertexId {
    return this.include({ id: vertexId(operation, inputs), operation, inputs, ...meta });
  }

  include(vertex: Vertex): VertexId {
    const known = this.#vertices.get(vertex.id);
    if (!known) this.#vertices.set(vertex.id, vertex);
    else if (vertex.ignoreCache) known.ignoreCache = true;
    return vertex.id;
  }

  get(id: VertexId): Vertex | undefined {
    return this.#vertices.get(id);
  }

  /** Everything that `results` need, inputs first. */
  neededFor(results: VertexId[]): Record<VertexId, Vertex> {
    const ordered: Record<VertexId, Vertex> = {};
    const stack: { id: VertexId; next: number }[] = [];
    const seen = new Set<VertexId>();
    const push = (id: VertexId) => {
      if (seen.has(id)) return;
      seen.add(id);
      stack.push({ id, next: 0 });
    };
    for (const result of results) {
      push(result);
      while (stack.length > 0) {
        const top = stack.at(-1)!;
        const vertex = this.#vertices.get(top.id)!;
        const input = vertex.inputs[top.next++];
        if (input !== undefined) push(input);
        else {
          ordered[top.id] = vertex;
          stack.pop();
        }
      }
    }
    return ordered;
  }
}
