/** `stack graph`, and `stack viz` for those who know docker compose's. */
import { Option } from 'commander';
import { StackError } from '../schemas/errors.ts';
import type { Project } from '../schemas/project.ts';
import { define, integer } from './command.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';

const formats = ['text', 'mermaid', 'dot', 'svg', 'json'] as const;
type Format = (typeof formats)[number];

export const graph = define<{ format: Format }>({
  usage: 'graph [SERVICE...]',
  summary: 'Print what the services need of each other, of images, networks and volumes',
  dryRun: 'harmless',
  examples: [
    ['stack graph', 'Print the services in the order they start, with what each needs.'],
    ['stack graph --format mermaid', 'Print a flowchart for a README.'],
    ['stack graph --format svg > stack.svg', 'Draw it.'],
  ],
  options(command) {
    command.addOption(new Option('--format <format>', 'output format').choices(formats).default('text'));
  },
  async action(context, services, { format }) {
    const { emit, close } = renderer(context);
    const { project } = await loadProject(context, emit, services);
    await close();
    context.stdout.write(`${await drawn(only(project, services), format)}\n`);
  },
});

interface VizFlags {
  indentationSize: number;
  spaces?: boolean;
  image?: boolean;
  networks?: boolean;
  ports?: boolean;
}

export const viz = define<VizFlags>({
  usage: 'viz',
  summary: 'Print the services for Graphviz, as `docker compose alpha viz` does',
  dryRun: 'harmless',
  examples: [['stack viz --networks --ports | dot -Tsvg > stack.svg', 'Draw them with their networks and ports.']],
  options(command) {
    command
      .option('--image', 'with the names of the images')
      .option('--networks', 'with the networks')
      .option('--ports', 'with the published ports')
      .option('--indentation-size <number>', 'tabs or spaces of a level', integer, 1)
      .option('--spaces', 'indent with spaces, not tabs');
  },
  async action(context, _arguments, { indentationSize, spaces, ...shown }) {
    if (indentationSize < 0 || indentationSize > 100) {
      throw new StackError('usage', { message: '--indentation-size is a number from 0 to 100.' });
    }
    const { emit, close } = renderer(context);
    const { project } = await loadProject(context, emit);
    await close();
    const { servicesDot } = await import('../planner/topology/dot.ts');
    const indentation = (spaces ? ' ' : '\t').repeat(indentationSize);
    context.stdout.write(`${servicesDot(project, { indentation, ...shown })}\n`);
  },
});

/** The services named and those they depend on. */
function only(project: Project, named: string[]): Project {
  if (named.length === 0) return project;
  const wanted = new Set(named);
  for (const name of wanted) for (const to of Object.keys(project.services[name]?.depends_on ?? {})) wanted.add(to);
  const services = Object.entries(project.services).filter(([name]) => wanted.has(name));
  return { ...project, services: Object.fromEntries(services) };
}

async function drawn(project: Project, format: Format): Promise<string> {
  const { topology } = await import('../planner/topology/topology.ts');
  const made = topology(project);
  if (format === 'json') return JSON.stringify(made, null, 2);
  if (format === 'mermaid') return (await import('../planner/topology/mermaid.ts')).topologyMermaid(made);
  if (format === 'dot') return (await import('../planner/topology/dot.ts')).topologyDot(made);
  if (format === 'svg') return (await import('../planner/topology/svg.ts')).topologySvg(made);
  return (await import('../planner/topology/text.ts')).topologyText(made);
}
