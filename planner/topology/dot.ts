/** A topology for Graphviz. Source: graphviz.org, "DOT Language". */
import type { Project } from '../../schemas/project.ts';
import { byName } from '../graph.ts';
import { nodeLabel } from './mermaid.ts';
import { edgeLabel } from './text.ts';
import type { NodeKind, Topology } from './topology.ts';

const shapes: Record<NodeKind, string> = {
  service: 'box',
  hook: 'oval',
  image: 'component',
  build: 'box3d',
  network: 'ellipse',
  volume: 'cylinder',
  config: 'note',
  secret: 'note',
  model: 'hexagon',
};

export function topologyDot({ name, nodes, edges }: Topology): string {
  return [
    `digraph ${quoted(name)} {`,
    '  rankdir=LR;',
    ...nodes.map((node) => `  ${quoted(node.id)} [shape=${shapes[node.kind]} label=${quoted(nodeLabel(node))}];`),
    ...edges.map((edge) => {
      const style = edge.type === 'depends-on' || edge.type === 'shares-network' ? '' : ' style=dashed';
      return `  ${quoted(edge.from)} -> ${quoted(edge.to)} [label=${quoted(edgeLabel(edge))}${style}];`;
    }),
    '}',
  ].join('\n');
}

export interface VizOptions {
  /** What a level is indented by. */
  indentation: string;
  image?: boolean | undefined;
  networks?: boolean | undefined;
  ports?: boolean | undefined;
}

/** The services alone, with what of each is asked for written into its box: what docker compose calls viz. */
export function servicesDot(project: Project, { indentation, image, networks, ports }: VizOptions): string {
  const lines: string[] = [`digraph ${quoted(project.name)} {`, `${indentation}layout=dot;`];
  const services = Object.entries(project.services).sort(([a], [b]) => byName(a, b));
  for (const [name, service] of services) {
    const label = [name];
    if (image) label.push(`image: ${service.image ?? `${project.name}-${name}`}`);
    if (networks) label.push(...Object.keys(service.networks ?? {}).map((key) => `network: ${key}`));
    if (ports) {
      label.push(
        ...(service.ports ?? []).map(({ host_ip, published, target, protocol }) => {
          return `port: ${host_ip ? `${host_ip}:` : ''}${published === undefined ? '' : `${published}:`}${target}/${protocol}`;
        }),
      );
    }
    lines.push(`${indentation}${quoted(name)} [shape=box label=${quoted(label.join('\n'))}];`);
  }
  for (const [name, service] of services) {
    for (const to of Object.keys(service.depends_on ?? {}).sort(byName)) {
      if (Object.hasOwn(project.services, to)) lines.push(`${indentation}${quoted(name)} -> ${quoted(to)};`);
    }
  }
  return [...lines, '}'].join('\n');
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll(/\r?\n/g, '\\n')}"`;
}
