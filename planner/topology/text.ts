/** A topology for people at a terminal: each service with what it needs, in the order they start. */
import type { Dependency } from '../../schemas/project.ts';
import type { Topology, TopologyEdge, TopologyNode } from './topology.ts';

const conditions: Record<Dependency['condition'], string> = {
  service_started: 'starts after',
  service_healthy: 'starts when healthy:',
  service_completed_successfully: 'starts when done:',
};

/** What an edge says, to be followed by the name of what it leads to. */
export function edgeLabel({ type, condition }: TopologyEdge): string {
  if (type === 'depends-on') return conditions[condition ?? 'service_started'];
  if (type === 'shares-network') return 'shares the network of';
  return type;
}

export function topologyText({ name, nodes, edges }: Topology): string {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const linesOf = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  for (const edge of edges) linesOf.get(edge.from)!.push(`  ${line(edge, known.get(edge.to)!)}`);
  const blocks = nodes
    .filter(({ kind }) => kind === 'service')
    .map(({ id, name: service }) => [service, ...linesOf.get(id)!].join('\n'));
  return [`${name}: ${blocks.length} ${blocks.length === 1 ? 'service' : 'services'}`, ...blocks].join('\n\n');
}

function line(edge: TopologyEdge, { kind, name, builtFrom, isExternal }: TopologyNode): string {
  const what = kind === 'service' ? name : `${kind} ${name}`;
  const at = edge.target === undefined ? '' : ` at ${edge.target}`;
  const how = kind === 'image' ? ` (${builtFrom === undefined ? 'pulled' : `built from ${builtFrom}`})` : '';
  return `${edgeLabel(edge)} ${what}${at}${how}${isExternal ? ' (external)' : ''}`;
}
