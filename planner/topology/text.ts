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
  if (type === 'built-by') return 'built by';
  return type;
}

export function topologyText({ name, nodes, edges }: Topology): string {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const linesOf = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  const buildOf = new Map(edges.filter(({ type }) => type === 'built-by').map(({ from, to }) => [from, to]));
  const byOrigin = new Map<string, TopologyEdge[]>(nodes.map(({ id }) => [id, []]));
  for (const edge of edges) byOrigin.get(edge.from)!.push(edge);
  for (const edge of edges) {
    if (!edge.from.startsWith('service/')) continue;
    const lines = linesOf.get(edge.from)!;
    lines.push(`  ${line(edge, known.get(edge.to)!)}`);
    // What the image is built with stands below it.
    const build = edge.type === 'runs' ? buildOf.get(edge.to) : undefined;
    for (const part of byOrigin.get(build ?? '') ?? []) {
      lines.push(`    its build ${line(part, known.get(part.to)!)}`);
    }
  }
  const blocks = nodes
    .filter(({ kind }) => kind === 'service')
    .map((node) => [nodeTitle(node), ...linesOf.get(node.id)!].join('\n'));
  return [`${name}: ${blocks.length} ${blocks.length === 1 ? 'service' : 'services'}`, ...blocks].join('\n\n');
}

function nodeTitle({ name, containers }: TopologyNode): string {
  return containers === undefined ? name : `${name} (${containers} containers)`;
}

function line(edge: TopologyEdge, { kind, name, builtFrom, isExternal }: TopologyNode): string {
  const what = kind === 'service' ? name : `${kind} ${name}`;
  const at = edge.target === undefined ? '' : ` at ${edge.target}`;
  const how = kind === 'image' ? ` (${builtFrom === undefined ? 'pulled' : `built from ${builtFrom}`})` : '';
  return `${edgeLabel(edge)} ${what}${at}${how}${isExternal ? ' (external)' : ''}`;
}
