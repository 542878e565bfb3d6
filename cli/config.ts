import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Loaded } from '../planner/load/load.ts';
import { asStackError, StackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { Project } from '../schemas/project.ts';
import { type Context, define } from './command.ts';
import { type List, lists, serviceHash } from './config/lists.ts';
import { toYaml } from './config/yaml.ts';
import { loadProject } from './project.ts';
import { renderer } from './render/render.ts';

type Flags = { [L in List]?: boolean } & {
  format?: 'yaml' | 'json';
  quiet?: boolean;
  output?: string;
  hash?: string;
  variables?: boolean;
  explain?: string;
  lint?: boolean;
  interpolate: boolean;
  normalize: boolean;
  pathResolution: boolean;
  consistency: boolean;
  envResolution: boolean;
  resolveImageDigests?: boolean;
  lockImageDigests?: boolean;
};

/** Each of these prints something of its own instead of the stack file; of several the first, as with docker compose. */
const instead: [flags: string, does: string][] = [
  ['--services', 'print the names of the services'],
  ['--volumes', 'print the names of the volumes'],
  ['--networks', 'print the names of the networks'],
  ['--models', 'print what the models are made from'],
  ['--profiles', 'print the names of the profiles'],
  ['--images', 'print the names of the images'],
  ['--environment', 'print the variables that interpolation uses'],
  ['--variables', 'print the variables that the files ask for, with their defaults'],
  ['--hash <services>', 'print a hash of these services, divided by commas; "*" is all'],
  ['--explain <path>', 'print where a value comes from: services.web.environment.KEY'],
  ['--lint', 'print what is probably not meant, with hints at what may be'],
  ['--lock-image-digests', 'print a file that fixes the digest of every image'],
];

export const config = define<Flags>({
  usage: 'config [SERVICE...]',
  summary: 'Print the stack file as Stack understands it',
  dryRun: 'harmless',
  examples: [
    ['stack config', 'Print the merged and interpolated stack file.'],
    ['stack config --services', 'Print the names of the services, one a line.'],
    ['stack config --explain services.web.environment.KEY', 'Tell where the value comes from and what it replaced.'],
    ['stack config --lint', 'Tell what loads, and is probably not meant.'],
    ['stack config --lock-image-digests > images.yaml', 'Fix the images: `stack -f compose.yaml -f images.yaml up`.'],
  ],
  options(command) {
    command.addOption(new Option('--format <format>', 'output format; yaml by default').choices(['yaml', 'json']));
    const keys = instead.map(([flags, does]) => new Option(flags, does));
    const own = keys.filter(({ long }) => long === '--explain' || long === '--lint');
    for (const option of own) option.conflicts(keys.filter((key) => key !== option).map((key) => key.attributeName()));
    for (const option of keys) command.addOption(option);
    command
      .option('-q, --quiet', 'only check; print nothing')
      .option('-o, --output <file>', 'write to a file instead of standard output')
      .option('--resolve-image-digests', 'add to every image the digest it has now')
      .option('--no-interpolate', 'leave variables as they are written')
      .option('--no-normalize', 'leave out what the files do not say')
      .option('--no-path-resolution', 'leave relative paths as they are written')
      .option('--no-consistency', 'do not check references between services, networks and volumes')
      .option('--no-env-resolution', 'do not read the files of variables that services name');
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const warnings: StackError[] = [];
    const keep: Emit = (event) => event.type === 'warning' && warnings.push(event.error);
    const loaded = await loadProject(context, flags.lint ? keep : emit, services, {
      skip: {
        interpolation: !flags.interpolate || flags.variables === true,
        normalisation: !flags.normalize,
        paths: !flags.pathResolution,
        consistency: !flags.consistency,
        environment: !flags.envResolution,
      },
      hints: flags.lint === true,
    });
    await close();
    if (flags.quiet) return;
    const text = flags.lint ? await warningsText(warnings) : await printed(context, loaded, services, flags);
    if (flags.output !== undefined && !context.globals.dryRun) writeOutput(flags.output, text);
    else context.stdout.write(text);
  },
});

/** Each with its line underlined. */
async function warningsText(warnings: StackError[]): Promise<string> {
  const [{ formatError }, { source }] = await Promise.all([
    import('../planner/diagnose.ts'),
    import('./render/error.ts'),
  ]);
  return warnings.map((warning) => `${formatError(warning, source)}\n`).join('');
}

async function printed(context: Context, loaded: Loaded, named: string[], flags: Flags): Promise<string> {
  const selected = Object.entries(loaded.project.services).filter(
    ([name]) => named.length === 0 || named.includes(name),
  );
  const list = (Object.keys(lists) as List[]).find((name) => flags[name]);
  if (list) return lines(lists[list](loaded, selected));
  if (flags.hash !== undefined) return hashes(loaded.project, flags.hash);
  if (flags.variables) return variables(loaded, flags);
  if (flags.explain !== undefined) return explained(loaded, flags.explain, flags);
  return document(context, { ...loaded.project, services: Object.fromEntries(selected) }, flags);
}

function lines(names: string[]): string {
  return [...new Set(names)]
    .sort()
    .map((name) => `${name}\n`)
    .join('');
}

function hashes(project: Project, wanted: string): string {
  const names = wanted === '*' ? Object.keys(project.services) : wanted.split(',');
  const unknown = names.find((name) => !Object.hasOwn(project.services, name));
  if (unknown !== undefined) {
    throw new StackError('config.no-service', {
      message: `no such service: ${unknown}`,
      hint: `Services: ${Object.keys(project.services).join(', ')}.`,
    });
  }
  return lines(names.map((name) => `${name} ${serviceHash(project, name)}`));
}

async function variables({ project, disabled }: Loaded, { format }: Flags): Promise<string> {
  const [{ allVariables }, { variablesByName, variablesText }] = await Promise.all([
    import('../planner/load/variables.ts'),
    import('./config/variables.ts'),
  ]);
  const found = allVariables([project, disabled]);
  return format === 'yaml' ? toYaml(variablesByName(found, 'yaml')) : variablesText(found, format ?? 'table');
}

async function explained(loaded: Loaded, path: string, { format }: Flags): Promise<string> {
  const { explain } = await import('../planner/explain/explain.ts');
  const { explanationText } = await import('../planner/explain/text.ts');
  const found = explain(loaded, path);
  return format === 'json' ? `${JSON.stringify(found, null, 2)}\n` : `${explanationText(found)}\n`;
}

async function document(context: Context, project: Project, flags: Flags): Promise<string> {
  let shown = project;
  if (flags.resolveImageDigests || flags.lockImageDigests) {
    const { imagesOnly, withCurrentDigests } = await import('./config/digests.ts');
    shown = await withCurrentDigests(context, project);
    if (flags.lockImageDigests) return flags.format === 'json' ? toJson(imagesOnly(shown)) : toYaml(imagesOnly(shown));
  }
  const { canonicalJson, canonicalYaml } = await import('../planner/load/canonical.ts');
  if (flags.format === 'json') return toJson(canonicalJson(shown, !flags.interpolate));
  return toYaml(canonicalYaml(shown, !flags.interpolate));
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw asStackError(error, 'usage', {
      message: `${file} cannot be written: ${(error as NodeJS.ErrnoException).code}.`,
      hint: 'Name a file in a folder that exists and that you may write to.',
    });
  }
}
