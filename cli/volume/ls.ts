import { collect, define } from '../command.ts';
import { list } from '../render/output.ts';
import { volumeFilter } from './filter.ts';
import { volumeEntry } from './format.ts';
import { openVolumes } from './open.ts';

export const ls = define<{ quiet?: boolean; format: string; filter?: string[] }>({
  usage: 'ls',
  summary: 'List the volumes of this machine',
  dryRun: 'harmless',
  examples: [
    ['stack volume ls --filter dangling=true', 'List the volumes that no container has.'],
    ['stack volume ls --format json', 'Print one JSON object a line, with the fields of docker.'],
  ],
  options(command) {
    command
      .option('-q, --quiet', 'print the names alone')
      .option('-f, --filter <filter>', 'dangling, driver, label, name: key=value (repeatable)', collect)
      .option('--format <format>', 'table, json, or a Go template', 'table');
  },
  async action(context, _, { quiet, format, filter = [] }) {
    const volumes = await openVolumes(context);
    const isMeant = volumeFilter('ls', filter, (name) => volumes.users(name).length > 0);
    const entries = volumes.list().filter(isMeant).map(volumeEntry);
    if (quiet && format === 'table') {
      context.stdout.write(entries.map(({ Name }) => `${Name}\n`).join(''));
      return;
    }
    const columns = [
      { title: 'DRIVER', field: 'Driver' },
      { title: 'VOLUME NAME', field: 'Name' },
    ] as const;
    context.stdout.write(list(entries, format, [...columns]));
  },
});
