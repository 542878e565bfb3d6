import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { collect, define } from './command.ts';
import { findContainers } from './containers.ts';
import { namedStack } from './project.ts';
import { type PsEntry, psEntry } from './ps-format.ts';
import { list, listFormat } from './render/output.ts';
import { renderer } from './render/render.ts';

interface Flags {
  all?: boolean;
  quiet?: boolean;
  services?: boolean;
  status?: string[];
  filter?: string[];
  format: string;
  trunc: boolean;
  orphans: boolean;
}

const states = ['created', 'running', 'paused', 'restarting', 'exited', 'dead', 'removing'];

export const ps = define<Flags>({
  usage: 'ps [SERVICE...]',
  summary: 'List the containers of the stack',
  dryRun: 'harmless',
  examples: [
    ['stack ps -a', 'List all containers, also those that have ended.'],
    ['stack ps --format json', 'Print one JSON object a line, with the fields of docker compose.'],
  ],
  options(command) {
    command
      .option('-a, --all', 'also containers that do not run, and those of `stack run`')
      .option('-q, --quiet', 'print the ids alone')
      .option('--services', 'print the names of the services alone')
      .option('--status <status>', 'only containers in this state (repeatable)', oneState)
      .option('--filter <filter>', 'only containers that match: status=STATE, source=image|build (repeatable)', collect)
      .option('--format <format>', 'table, json, or a Go template', listFormat, 'table')
      .option('--no-trunc', 'do not cut anything short')
      .addOption(new Option('--orphans', 'show them').hideHelp())
      .option('--no-orphans', 'leave out services that the stack file no longer has');
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const stack = await namedStack(context, emit);
    await close();
    const engine = await context.engine();
    const filters = filtersOf(flags.filter ?? []);
    const wanted = [...(flags.status ?? []), ...filters.states];
    const isShown = ({ record, status }: ObservedContainer) => {
      if (!flags.orphans && stack.services.length > 0 && !stack.services.includes(record.service)) return false;
      if (filters.source && (record.config.build ? 'build' : 'image') !== filters.source) return false;
      if (wanted.length > 0) return wanted.includes(status.state);
      return flags.all || ['running', 'paused', 'restarting'].includes(status.state);
    };
    const found = await findContainers(engine, stack, services, { withOneOff: flags.all === true });
    const containers = found.filter(isShown);
    const { stdout } = context;
    if (flags.quiet) stdout.write(containers.map(({ record }) => `${record.id}\n`).join(''));
    else if (flags.services) {
      stdout.write([...new Set(containers.map(({ record }) => `${record.service}\n`))].join(''));
    } else {
      const entries = containers.map((each) => psEntry(each, Date.now(), !flags.trunc, commandOf(engine, each)));
      stdout.write(list(entries, flags.format, columns));
    }
  },
});

const columns = [
  { title: 'NAME', field: 'Name' },
  { title: 'IMAGE', field: 'Image' },
  { title: 'COMMAND', field: 'Command' },
  { title: 'SERVICE', field: 'Service' },
  { title: 'CREATED', field: 'RunningFor' },
  { title: 'STATUS', field: 'Status' },
  { title: 'PORTS', field: 'Ports' },
] as const satisfies { title: string; field: keyof PsEntry }[];

/** What the container runs: its bundle knows, where the stack file leaves it to the image. */
function commandOf({ host }: Engine, { record }: ObservedContainer): string[] {
  const { command, entrypoint } = record.config;
  if (command && entrypoint) return [...entrypoint, ...command];
  try {
    const file = join(host.layout.containerDir(record.stack, record.id), 'config.json');
    return JSON.parse(readFileSync(file, 'utf8')).process.args;
  } catch {
    return [...(entrypoint ?? []), ...(command ?? [])];
  }
}

function oneState(value: string, previous: string[] | undefined): string[] {
  if (!states.includes(value)) {
    throw new StackError('usage', { message: `"${value}" is not a state.`, hint: `States: ${states.join(', ')}.` });
  }
  return collect(value, previous);
}

/** Source: docker compose's reference of `ps`. @throws StackError `usage` */
function filtersOf(filters: string[]): { states: string[]; source?: string } {
  const states: string[] = [];
  let source: string | undefined;
  for (const filter of filters) {
    const [name, value = ''] = filter.split('=', 2);
    if (name === 'status') states.push(...oneState(value, undefined));
    else if (name === 'source' && (value === 'image' || value === 'build')) source = value;
    else {
      throw new StackError('usage', {
        message: `"${filter}" is no filter of \`stack ps\`.`,
        hint: 'Filters: status=STATE, source=image, source=build.',
      });
    }
  }
  return source === undefined ? { states } : { states, source };
}
