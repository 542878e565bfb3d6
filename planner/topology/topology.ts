/** What the stack is made of and how its parts hang together, as nodes and typed edges: `stack graph`. */
import type { Dependency, Project, Service } from '../../schemas/project.ts';
import { byName, edges, graph } from '../graph.ts';

export type NodeKind = 'service' | 'image' | 'network' | 'volume' | 'config' | 'secret' | 'model';

export interface TopologyNode {
  /** `service/web`: unique. */
  id: string;
  kind: NodeKind;
  name: string;
  /** Of an image: pulled, or built from this context. */
  builtFrom?: string;
  /** It is not the stack's own: it must be there already. */
  isExternal?: true;
}

/** `depends-on` and `shares-network` lead to services, `runs` to an image, `reads` to configs and secrets. */
export type EdgeType = 'depends-on' | 'shares-network' | 'runs' | 'joins' | 'mounts' | 'reads' | 'asks';

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
  /** In the order of the services they begin at. */
  edges: TopologyEdge[];
}

/** @throws StackError `config.cycle` where services wait for each other; the loader tells the places */
export function topology(project: Project): Topology {
  const nodes = new Map<string, TopologyNode>();
  const found: TopologyEdge[] = [];
  const { order } = graph(project);
  for (const name of order) nodes.set(`service/${name}`, { id: `service/${name}`, kind: 'service', name });
  for (const name of order) {
    for (const edge of serviceEdges(project, name, project.services[name]!)) {
      if (edge.to.startsWith('service/') && !nodes.has(edge.to)) continue;
      if (!nodes.has(edge.to)) nodes.set(edge.to, resource(project, name, edge.to));
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
    found.push({ from, to: `image/${service.image ?? `${project.name}-${name}`}`, type: 'runs' });
  }
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

function grants(service: Service, kind: 'config' | 'secret'): { source: string; target?: string }[] {
  return (service as unknown as Record<string, { source: string; target?: string }[] | undefined>)[`${kind}s`] ?? [];
}

function resource(project: Project, user: string, id: string): TopologyNode {
  const slash = id.indexOf('/');
  const kind = id.slice(0, slash) as NodeKind;
  const name = id.slice(slash + 1);
  if (kind === 'image') {
    const context = project.services[user]!.build?.context;
    return { id, kind, name, ...(typeof context === 'string' ? { builtFrom: context } : {}) };
  }
  const section = (project as unknown as Record<string, Record<string, { external?: boolean }> | undefined>)[
    `${kind}s`
  ];
  return { id, kind, name, ...(section?.[name]?.external ? { isExternal: true as const } : {}) };
}
