import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { collect, define } from './command.ts';
import { findContainers } from './containers.ts';
import { namedStack } from './project.ts';
import { psEntry } from './ps-format.ts';
import { renderer } from './render/render.ts';
import { table } from './render/table.ts';

interface Flags {
  all?: boolean;
  quiet?: boolean;
  services?: boolean;
  status?: string[];
  filter?: string;
  format: 'table' | 'json';
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
      .option('--filter <filter>', 'only containers that match, such as status=running')
      .addOption(new Option('--format <format>', 'output format').choices(['table', 'json']).default('table'))
      .option('--no-trunc', 'do not cut anything short')
      .addOption(new Option('--orphans', 'show them').hideHelp())
      .option('--no-orphans', 'leave out services that the stack file no longer has');
  },
  async action(context, services, flags) {
    const { emit, close } = renderer(context);
    const stack = await namedStack(context, emit);
    await close();
    const engine = await context.engine();
    const wanted = [...(flags.status ?? []), ...filterStatus(flags.filter)];
    const isShown = ({ record, status }: ObservedContainer) => {
      if (!flags.orphans && stack.services.length > 0 && !stack.services.includes(record.service)) return false;
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
      if (flags.format === 'json') stdout.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      else {
        const header = ['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS'];
        const rows = entries.map((e) => [e.Name, e.Image, e.Command, e.Service, e.RunningFor, e.Status, e.Ports]);
        stdout.write(table(header, rows));
      }
    }
  },
});

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

function filterStatus(filter: string | undefined): string[] {
  if (filter === undefined) return [];
  const [name, value] = filter.split('=', 2);
  if (name === 'status' && value) return oneState(value, undefined);
  throw new StackError('usage', {
    message: `Not supported yet: --filter ${filter}.`,
    hint: 'The filter there is: status=STATE.',
  });
}
