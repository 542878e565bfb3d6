/**
 * A topology as a picture, drawn without any other program: columns by distance from what depends on it, each node right
 * of everything that needs it. Source: SVG 1.1.
 */
import { nodeLabel } from './mermaid.ts';
import { edgeLabel } from './text.ts';
import type { NodeKind, Topology } from './topology.ts';

/** Pixels. */
const height = 28;
const rowGap = 16;
const columnGap = 150;
const letter = 7.3;

const colours: Record<NodeKind, string> = {
  service: '#dbeafe',
  hook: '#ffedd5',
  image: '#ede9fe',
  build: '#e9d5ff',
  network: '#dcfce7',
  volume: '#fef3c7',
  config: '#f3f4f6',
  secret: '#fee2e2',
  model: '#cffafe',
};

export function topologySvg(topology: Topology): string {
  const { nodes, edges, name } = topology;
  const columns: Topology['nodes'][] = [];
  const columnOf = columnNumbers(topology);
  for (const node of nodes) {
    const column = columnOf.get(node.id)!;
    columns[column] ??= [];
    columns[column].push(node);
  }
  const boxes = new Map<string, { x: number; y: number; width: number }>();
  let x = rowGap;
  for (const column of columns) {
    const width = Math.max(...column.map((node) => nodeLabel(node).length)) * letter + 20;
    for (const [row, node] of column.entries()) boxes.set(node.id, { x, y: rowGap + row * (height + rowGap), width });
    x += width + columnGap;
  }
  const total = {
    width: Math.ceil(x - columnGap + rowGap),
    height: rowGap + Math.max(0, ...columns.map((one) => one.length)) * (height + rowGap),
  };
  const paths = edges.map((edge) => {
    const [from, to] = [boxes.get(edge.from)!, boxes.get(edge.to)!];
    const start = [from.x + from.width, from.y + height / 2] as const;
    const end = [to.x, to.y + height / 2] as const;
    const middle = (start[0] + end[0]) / 2;
    const curve = `M${start} C${middle},${start[1]} ${middle},${end[1]} ${end}`;
    return `<path d="${curve}"><title>${escaped(`${edge.from} ${edgeLabel(edge)} ${edge.to}`)}</title></path>`;
  });
  const shapes = nodes.map((node) => {
    const { x: left, y: top, width } = boxes.get(node.id)!;
    const box = `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="5" fill="${colours[node.kind]}"/>`;
    return `${box}<text x="${left + 10}" y="${top + 18}">${escaped(nodeLabel(node))}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}">`,
    `<title>${escaped(name)}</title>`,
    '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
    '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    `<g fill="none" stroke="#555">`,
    ...paths.map((path) => path.replace('<path ', '<path marker-end="url(#to)" ')),
    '</g>',
    '<g font-family="monospace" font-size="12">',
    ...shapes,
    '</g>',
    '</svg>',
  ].join('\n');
}

/** The longest way to a node from any service that nothing depends on. Services come after those they depend on. */
function columnNumbers({ nodes, edges }: Topology): Map<string, number> {
  const column = new Map<string, number>(nodes.map(({ id }) => [id, 0]));
  const outgoing = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  for (const { from, to } of edges) outgoing.get(from)!.push(to);
  for (const id of fromTheLeft(nodes, outgoing)) {
    for (const to of outgoing.get(id)!) column.set(to, Math.max(column.get(to)!, column.get(id)! + 1));
  }
  return column;
}

/** Every node before those it leads to; builds that use one another in a circle are left as they come. */
function fromTheLeft(nodes: Topology['nodes'], outgoing: Map<string, string[]>): string[] {
  const waiting = new Map(nodes.map(({ id }) => [id, 0]));
  for (const ids of outgoing.values()) for (const id of ids) waiting.set(id, waiting.get(id)! + 1);
  const order = nodes.flatMap(({ id }) => (waiting.get(id) === 0 ? [id] : []));
  // What is added on the way is visited too.
  for (const id of order) {
    for (const to of outgoing.get(id)!) {
      waiting.set(to, waiting.get(to)! - 1);
      if (waiting.get(to) === 0) order.push(to);
    }
  }
  return order;
}

function escaped(text: string): string {
  // Control characters are not allowed in XML, not even as entities.
  const clean = text.replaceAll(/(?![\t\n\r])\p{Cc}/gu, '\ufffd');
  return clean.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
