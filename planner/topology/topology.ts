/** What the stack is made of and how its parts hang together, as nodes and typed edges: `stack graph`. */
import type { Dependency, Project, Service } from '../../schemas/project.ts';
import { byName, edges, graph } from '../graph.ts';
import { buildEdges, hookEdges, hookName } from './parts.ts';

export type NodeKind = 'service' | 'hook' | 'image' | 'build' | 'network' | 'volume' | 'config' | 'secret' | 'model';

export interface TopologyNode {
  /** `service/web`: unique. */
  id: string;
  kind: NodeKind;
  name: string;
  /** Of an image or a build: built from this context. Else an image is pulled. */
  builtFrom?: string;
  /** Of a service: how many containers, where it is not one. */
  containers?: number;
  /** It is not the stack's own: it must be there already. */
  isExternal?: true;
}

/**
 * `depends-on` and `shares-network` lead to services, `runs` to an image, `built-by` from an image to its build, `uses` from
 * a build to an image that is a context of it, `reads` to configs and secrets, `calls` to a hook.
 */
export type EdgeType =
  | 'depends-on'
  | 'shares-network'
  | 'runs'
  | 'built-by'
  | 'uses'
  | 'calls'
  | 'joins'
  | 'mounts'
  | 'reads'
  | 'asks';

export interface TopologyEdge {
  from: string;
  to: string;
  type: EdgeType;
  /** Of `depends-on`: the condition waited for. */
  condition?: Dependency['condition'];
  /** Of `mounts` and `reads`: where in the container. */
  target?: string;
}

export interface Topology {
  name: string;
  /** Services after those they depend on, then the rest by kind and name. */
  nodes: TopologyNode[];
  /** In the order of the services they begin at; those that begin elsewhere behind what led there. */
  edges: TopologyEdge[];
}

/** @throws StackError `config.cycle` where services wait for each other; the loader tells the places */
export function topology(project: Project): Topology {
  const nodes = new Map<string, TopologyNode>();
  const found: TopologyEdge[] = [];
  const { order } = graph(project);
  for (const name of order) {
    const { scale, deploy } = project.services[name]!;
    const containers = scale ?? deploy?.replicas ?? 1;
    const count = containers === 1 ? {} : { containers };
    nodes.set(`service/${name}`, { id: `service/${name}`, kind: 'service', name, ...count });
  }
  for (const name of order) {
    for (const edge of serviceEdges(project, name, project.services[name]!)) {
      if (edge.to.startsWith('service/') && !nodes.has(edge.to)) continue;
      const isOwn = edge.type === 'runs' && edge.from === `service/${name}`;
      const known = nodes.get(edge.to);
      // Hooks and builds of others name an image too, perhaps before the service that says how it is built.
      if (!known || (isOwn && known.builtFrom === undefined)) {
        nodes.set(edge.to, resource(project, isOwn ? name : undefined, edge.to));
      }
      found.push(edge);
    }
  }
  const services = order.map((name) => nodes.get(`service/${name}`)!);
  const others = [...nodes.values()].filter(({ kind }) => kind !== 'service').sort((a, b) => byName(a.id, b.id));
  return { name: project.name, nodes: [...services, ...others], edges: found };
}

function serviceEdges(project: Project, name: string, service: Service): TopologyEdge[] {
  const from = `service/${name}`;
  const found: TopologyEdge[] = [];
  for (const { to, condition, sharesNamespace } of edges(service)) {
    found.push({ from, to: `service/${to}`, type: 'depends-on', condition });
    if (sharesNamespace) found.push({ from, to: `service/${to}`, type: 'shares-network' });
  }
  if (service.image !== undefined || service.build) {
    const image = imageOf(project, name);
    found.push({ from, to: image, type: 'runs' });
    if (service.build) found.push(...buildEdges(name, service.build, image, (other) => imageOf(project, other)));
  }
  found.push(...hookEdges(name, service));
  for (const key of Object.keys(service.networks ?? {}).sort(byName)) {
    found.push({ from, to: `network/${key}`, type: 'joins' });
  }
  for (const { type, source, target } of service.volumes ?? []) {
    if (type === 'volume' && source !== undefined) found.push({ from, to: `volume/${source}`, type: 'mounts', target });
  }
  for (const kind of ['config', 'secret'] as const) {
    for (const { source, target } of grants(service, kind)) {
      found.push({ from, to: `${kind}/${source}`, type: 'reads', ...(target === undefined ? {} : { target }) });
    }
  }
  for (const key of Object.keys((service as { models?: object }).models ?? {}).sort(byName)) {
    found.push({ from, to: `model/${key}`, type: 'asks' });
  }
  return found;
}

const imageOf = (project: Project, name: string) =>
  `image/${project.services[name]?.image ?? `${project.name}-${name}`}`;

function grants(service: Service, kind: 'config' | 'secret'): { source: string; target?: string }[] {
  return (service as unknown as Record<string, { source: string; target?: string }[] | undefined>)[`${kind}s`] ?? [];
}

/** `builder`: the service whose image it is, perhaps with a build. */
function resource(project: Project, builder: string | undefined, id: string): TopologyNode {
  const slash = id.indexOf('/');
  const kind = id.slice(0, slash) as NodeKind;
  const name = id.slice(slash + 1);
  if (kind === 'hook') return { id, kind, name: hookName(project.services, name) };
  if (kind === 'image' || kind === 'build') {
    const context = project.services[kind === 'build' ? name : (builder ?? '')]?.build?.context;
    return { id, kind, name, ...(typeof context === 'string' ? { builtFrom: context } : {}) };
  }
  const section = (project as unknown as Record<string, Record<string, { external?: boolean }> | undefined>)[
    `${kind}s`
  ];
  return { id, kind, name, ...(section?.[name]?.external ? { isExternal: true as const } : {}) };
}
