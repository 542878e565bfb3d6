/** A topology as a Mermaid flowchart. Source: mermaid.js.org, "Flowcharts", entity codes. */
import { edgeLabel } from './text.ts';
import type { NodeKind, Topology, TopologyNode } from './topology.ts';

/** Brackets that give each kind its shape. */
const shapes: Record<NodeKind, [open: string, close: string]> = {
  service: ['[', ']'],
  hook: ['(', ')'],
  image: ['[/', '/]'],
  build: ['[[', ']]'],
  network: ['([', '])'],
  volume: ['[(', ')]'],
  config: ['>', ']'],
  secret: ['>', ']'],
  model: ['{{', '}}'],
};

export function topologyMermaid({ nodes, edges }: Topology): string {
  const ids = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const lines = nodes.map((node) => {
    const [open, close] = shapes[node.kind];
    return `  ${ids.get(node.id)}${open}${quoted(nodeLabel(node))}${close}`;
  });
  for (const edge of edges) {
    const arrow = edge.type === 'depends-on' || edge.type === 'shares-network' ? '-->' : '-.->';
    lines.push(`  ${ids.get(edge.from)} ${arrow}|${quoted(edgeLabel(edge))}| ${ids.get(edge.to)}`);
  }
  return ['flowchart LR', ...lines].join('\n');
}

export function nodeLabel({ kind, name, builtFrom, isExternal, containers }: TopologyNode): string {
  if (kind === 'service') return containers === undefined ? name : `${name} ×${containers}`;
  if (kind === 'hook') return name;
  if (kind === 'build') return `build of ${builtFrom ?? name}`;
  const how = kind === 'image' ? (builtFrom === undefined ? 'pulled ' : 'built ') : isExternal ? 'external ' : '';
  return `${how}${kind} ${name}`;
}

/** Everything that Markdown, HTML or Mermaid could take for its own becomes an entity code. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\w .:/@,-]/gu, (char) => `#${char.codePointAt(0)};`)}"`;
}
