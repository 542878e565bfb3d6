/** What a build was made from: images, repositories, addresses, with the digests they had. */
import type { BuildGraph, Vertex, VertexId } from '../../../schemas/build.ts';
import { showPlatform } from '../../images/platform.ts';
import type { Sources } from '../sources.ts';
import { imagePurl } from './purl.ts';

export interface Dependency {
  uri: string;
  /** By algorithm, hex; absent where it was not fetched, as nothing of it was needed. */
  digest?: Record<string, string>;
}

/** The vertices that lead to `id`, itself included, inputs first. */
export function neededFor({ vertices }: BuildGraph, id: VertexId): Vertex[] {
  const needed = new Set<VertexId>();
  const todo = [id];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (needed.has(next)) continue;
    needed.add(next);
    todo.push(...vertices[next]!.inputs);
  }
  return Object.values(vertices).filter((vertex) => needed.has(vertex.id));
}

/** Each once, in the order of their addresses. */
export function dependenciesOf(vertices: Vertex[], sources: Pick<Sources, 'checksums'>): Dependency[] {
  const found = new Map<string, Dependency>();
  for (const vertex of vertices) {
    const dependency = dependencyOf(vertex, sources.checksums.get(vertex.id));
    if (dependency) found.set(dependency.uri, dependency);
  }
  return [...found.values()].sort((a, b) => (a.uri < b.uri ? -1 : 1));
}

function dependencyOf({ operation }: Vertex, fetched: Record<string, string> | undefined): Dependency | undefined {
  const digest = fetched ? { digest: fetched } : {};
  switch (operation.kind) {
    case 'source.image': {
      const { reference, platform } = operation;
      const shown = showPlatform(platform);
      // Where a layout lies on this machine is nobody's business.
      const uri = reference.startsWith('oci-layout://')
        ? `oci-layout:${operation.digest}`
        : imagePurl(reference, shown);
      return { uri, digest: { sha256: operation.digest.replace(/^sha256:/, '') } };
    }
    case 'source.git':
      return { uri: withoutSecrets(operation.remote) + (operation.ref ? `#${operation.ref}` : ''), ...digest };
    case 'source.http':
      return { uri: withoutSecrets(operation.url), ...digest };
    default:
      return undefined;
  }
}

/** An address without the login it may carry. */
export function withoutSecrets(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}
