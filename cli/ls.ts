import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import { collect, define } from './command.ts';
import { list, listFormat } from './render/output.ts';

interface Flags {
  all?: boolean;
  filter?: string[];
  format: string;
  quiet?: boolean;
}

/** Names are those of `docker compose ls --format json`. */
interface Entry {
  Name: string;
  Status: string;
  ConfigFiles: string;
}

export const ls = define<Flags>({
  usage: 'ls',
  summary: 'List the stacks of this machine',
  dryRun: 'harmless',
  examples: [['stack ls -a', 'List all stacks, also those of which nothing runs.']],
  options(command) {
    command
      .option('-a, --all', 'also stacks of which nothing runs')
      .option('--filter <filter>', 'only stacks whose name matches: name=PATTERN (repeatable)', collect)
      .option('--format <format>', 'table, json, or a Go template', listFormat, 'table')
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, _, { all = false, filter = [], format, quiet }) {
    const isWanted = nameFilter(filter);
    const engine = await context.engine();
    const entries = engine
      .stacks()
      .filter(isWanted)
      .map((name) => [name, engine.observeContainers(name).filter((one) => all || isUp(one))] as const)
      .filter(([, containers]) => containers.length > 0)
      .map(([name, containers]) => entryOf(name, containers));
    const { stdout } = context;
    if (quiet) stdout.write(entries.map(({ Name }) => `${Name}\n`).join(''));
    // One document, as docker compose prints it, and not one a line.
    else if (format === 'json') stdout.write(`${JSON.stringify(entries)}\n`);
    else {
      stdout.write(
        list(entries, format, [
          { title: 'NAME', field: 'Name' },
          { title: 'STATUS', field: 'Status' },
          { title: 'CONFIG FILES', field: 'ConfigFiles' },
        ]),
      );
    }
  },
});

const isUp = ({ status }: ObservedContainer) => status.state === 'running';

/** `exited(1), running(2)`. */
function entryOf(name: string, containers: ObservedContainer[]): Entry {
  const counts = new Map<string, number>();
  for (const { status } of containers) counts.set(status.state, (counts.get(status.state) ?? 0) + 1);
  const files = containers.map(({ record }) => record.labels['com.docker.compose.project.config_files']);
  return {
    Name: name,
    Status: [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([state, count]) => `${state}(${count})`)
      .join(', '),
    ConfigFiles: [...new Set(files.flatMap((each) => each?.split(',') ?? []))].join(',') || 'N/A',
  };
}

/** A regular expression or the whole name, as docker's filters take it. @throws StackError `usage` */
function nameFilter(filters: string[]): (name: string) => boolean {
  const patterns = filters.map((text) => {
    const value = /^name=(.*)$/s.exec(text)?.[1];
    if (value === undefined) {
      throw new StackError('usage', {
        message: `"${text}" is no filter of \`stack ls\`.`,
        hint: 'There is name=PATTERN.',
      });
    }
    try {
      return new RegExp(value);
    } catch {
      return { test: (name: string) => name === value };
    }
  });
  return (name) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name));
}
