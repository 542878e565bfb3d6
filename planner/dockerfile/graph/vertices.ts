/** The vertices of a graph under way, by identity. */
import { createHash } from 'node:crypto';
import type { Operation, Vertex, VertexId } from '../../../schemas/build.ts';
import { StackError } from '../../../schemas/errors.ts';
import { withoutPasswords } from '../redact.ts';

export type VertexMeta = Omit<Vertex, 'id' | 'operation' | 'inputs'>;

/** JSON with sorted keys, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    const entries = Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}

/** Most text all operations of a graph have together, in characters: each RUN carries its whole environment. */
const largest = 128 << 20;

/** Identity of an operation on inputs: equal for equal work, whatever it is called and wherever it is written. */
export function vertexId(operation: Operation, inputs: VertexId[]): VertexId {
  return digestOf(canonicalJson({ operation, inputs }));
}

function digestOf(text: string): VertexId {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export class Vertices {
  #vertices = new Map<VertexId, Vertex>();
  #size = 0;

  /** The first that asks for a piece of work names it. @throws StackError `build.value` where all is too much */
  add(operation: Operation, inputs: VertexId[], meta: VertexMeta): VertexId {
    const text = canonicalJson({ operation, inputs });
    this.#size += text.length;
    if (this.#size > largest) {
      const hint = 'Shorten its environment, or split it into several Dockerfiles.';
      throw new StackError('build.value', {
        message: `The steps of the build are larger than ${largest} bytes.`,
        hint,
      });
    }
    return this.include({ id: digestOf(text), operation, inputs, ...meta, name: withoutPasswords(meta.name) });
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
