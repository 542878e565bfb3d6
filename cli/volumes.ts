import { readVolume } from '../engine/volumes/records.ts';
import type { VolumeRecord } from '../schemas/container.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { list, listFormat } from './render/output.ts';
import { volumeEntry } from './volume/format.ts';

interface Flags {
  format: string;
  quiet?: boolean;
}

export const volumes = define<Flags>({
  usage: 'volumes [SERVICE...]',
  summary: 'List the volumes of the stack',
  dryRun: 'harmless',
  examples: [['stack volumes -q', 'Print the names of the volumes.']],
  options(command) {
    command
      .option('--format <format>', 'table, json, or a Go template', listFormat, 'table')
      .option('-q, --quiet', 'print the names alone');
  },
  async action(context, services, { format, quiet }) {
    const { engine, stack } = await openStack(context);
    const { volumes } = await engine.observe(stack.name);
    const own = new Map<string, VolumeRecord>(
      volumes.filter((one) => one.stack === stack.name).map((one) => [one.name, one]),
    );
    const containers = await findContainers(engine, stack, services);
    const mounted = containers.flatMap(({ record }) =>
      record.mounts.flatMap((one) => (one.type === 'volume' ? one : [])),
    );
    // Those of others that it mounts are its volumes, too, as docker compose lists them.
    for (const { name } of services.length > 0 ? mounted : []) {
      const found = own.get(name) ?? readVolume(engine.host.layout, name);
      if (found) own.set(name, found);
    }
    const names = new Set(mounted.map(({ name }) => name));
    const entries = [...own.values()]
      .filter(({ name }) => services.length === 0 || names.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(volumeEntry);
    if (quiet) {
      context.stdout.write(entries.map(({ Name }) => `${Name}\n`).join(''));
      return;
    }
    context.stdout.write(
      list(
        entries,
        format,
        [
          { title: 'DRIVER', field: 'Driver' },
          { title: 'VOLUME NAME', field: 'Name' },
        ],
        { Mountpoint: 'MOUNTPOINT', Labels: 'LABELS', Scope: 'SCOPE' },
      ),
    );
  },
});
