/** The dependency graph of services: who waits for whom, in which order, and where it bites its own tail. */
import { StackError } from '../schemas/errors.ts';
import type { Dependency, Project, Service } from '../schemas/project.ts';

export interface Edge extends Dependency {
  /** The service depended on. */
  to: string;
  /** `network_mode: service:…`: the dependent lives in the other's network namespace and cannot outlive a replacement. */
  sharesNamespace: boolean;
  /** What else of the other's containers it lives in, which a replacement takes away: `ipc`, `pid`, `volumes`. */
  shares: Shared[];
}

export type Shared = 'ipc' | 'pid' | 'volumes';

export interface Graph {
  /** Every service after those it depends on; among free choices by name, so that it does not depend on key order. */
  order: string[];
  /** Edges to services of the project, sorted by name. */
  dependencies: Map<string, Edge[]>;
  /** The reverse: names of the services that depend on it, sorted. */
  dependents: Map<string, string[]>;
}

/** Compares by code unit: the same order on every machine, whatever its locale. */
export const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What a service depends on: depends_on, and services whose namespaces or volumes it shares (compose-spec: implicit dependencies). */
export function edges(service: Service): Edge[] {
  const found = new Map<string, Edge>();
  for (const [to, dependency] of Object.entries(service.depends_on ?? {})) {
    found.set(to, { ...dependency, to, sharesNamespace: false, shares: [] });
  }
  const implied = (to: string, restart = true): Edge => {
    const standard = { condition: 'service_started' as const, required: true, restart };
    const edge = found.get(to) ?? { ...standard, to, sharesNamespace: false, shares: [] };
    found.set(to, edge);
    return edge;
  };
  const named = (mode: string | undefined) => /^service:(.+)$/s.exec(mode ?? '')?.[1];
  const network = named(service.network_mode);
  if (network !== undefined) implied(network).sharesNamespace = true;
  for (const kind of ['ipc', 'pid'] as const) {
    const to = named(service[kind]);
    if (to !== undefined) implied(to).shares.push(kind);
  }
  for (const from of service.volumes_from ?? []) {
    if (!from.startsWith('container:')) implied(from.replace(/:r[ow]$/, ''), false).shares.push('volumes');
  }
  return [...found.values()].sort((a, b) => byName(a.to, b.to));
}

/** The namespaces of the other that the dependent lives in: they end with the other's processes. Volumes do not. */
export const namespacesOf = ({ sharesNamespace, shares }: Edge): string[] => [
  ...(sharesNamespace ? ['network'] : []),
  ...shares.filter((kind) => kind !== 'volumes'),
];

/**
 * Builds the graph in time linear in services and edges. An edge to a service the project does not have is left out:
 * the loader has refused those that are required. Throws `config.cycle`, naming the cycle as a path.
 */
export function graph(project: Project): Graph {
  const names = Object.keys(project.services).sort(byName);
  const dependencies = new Map<string, Edge[]>();
  const dependents = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const name of names) {
    const known = edges(project.services[name]!).filter((edge) => dependents.has(edge.to));
    dependencies.set(name, known);
    for (const edge of known) dependents.get(edge.to)!.push(name);
  }
  return { order: topologicalOrder(names, dependencies), dependencies, dependents };
}

/** Depth first with a stack of its own: a chain of ten thousand services does not exhaust the call stack. */
function topologicalOrder(names: string[], dependencies: Map<string, Edge[]>): string[] {
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const root of names) {
    if (state.has(root)) continue;
    const path: { name: string; next: number }[] = [{ name: root, next: 0 }];
    state.set(root, 'open');
    while (path.length > 0) {
      const top = path.at(-1)!;
      const edge = dependencies.get(top.name)![top.next++];
      if (!edge) {
        state.set(top.name, 'done');
        order.push(top.name);
        path.pop();
      } else if (state.get(edge.to) === 'open') {
        throw cycleError(path.map((step) => step.name).slice(path.findIndex((step) => step.name === edge.to)));
      } else if (!state.has(edge.to)) {
        state.set(edge.to, 'open');
        path.push({ name: edge.to, next: 0 });
      }
    }
  }
  return order;
}

function cycleError(cycle: string[]): StackError {
  const first = cycle.indexOf([...cycle].sort(byName)[0]!);
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)];
  return new StackError('config.cycle', {
    message: `Services depend on each other in a circle: ${[...turned, turned[0]].join(' → ')}.`,
    hint: 'Remove one of these dependencies.',
    resource: `services.${turned[0]}.depends_on`,
  });
}

/** The services named and everything they depend on, directly or not. */
export function withDependencies(graph: Graph, services: Iterable<string>): Set<string> {
  const found = new Set<string>(services);
  for (const name of found) {
    // A Set's iteration visits what is added on the way.
    for (const edge of graph.dependencies.get(name) ?? []) found.add(edge.to);
  }
  return found;
}
