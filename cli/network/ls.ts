import { collect, define } from '../command.ts';
import { list } from '../render/output.ts';
import { networkFilter } from './filter.ts';
import { networkEntry } from './format.ts';
import { openNetworks, usersOf } from './open.ts';

interface Flags {
  quiet?: boolean;
  format: string;
  trunc: boolean;
  filter?: string[];
}

export const ls = define<Flags>({
  usage: 'ls',
  summary: 'List the networks of this machine',
  examples: [
    ['stack network ls --filter driver=macvlan', 'List those that stand on an interface of the host.'],
    ['stack network ls --format json', 'Print one JSON object a line, with the fields of docker.'],
  ],
  options(command) {
    command
      .option(
        '-f, --filter <filter>',
        'driver, id, label, name, scope, type, dangling: key=value (repeatable)',
        collect,
      )
      .option('--format <format>', 'table, json, or a Go template', 'table')
      .option('--no-trunc', 'do not cut the ids short')
      .option('-q, --quiet', 'print the ids alone');
  },
  async action(context, _, { quiet, format, trunc, filter = [] }) {
    const opened = await openNetworks(context);
    const isMeant = networkFilter('ls', filter, (record) => usersOf(opened, record).length > 0);
    const entries = opened.networks
      .list()
      .filter(isMeant)
      .map((record) => networkEntry(record, !trunc));
    if (quiet) {
      context.stdout.write(entries.map(({ ID }) => `${ID}\n`).join(''));
      return;
    }
    const columns = [
      { title: 'NETWORK ID', field: 'ID' },
      { title: 'NAME', field: 'Name' },
      { title: 'DRIVER', field: 'Driver' },
      { title: 'SCOPE', field: 'Scope' },
    ] as const;
    context.stdout.write(list(entries, format, [...columns]));
  },
});
