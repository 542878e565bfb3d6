import { readVolume } from '../engine/volumes/records.ts';
import type { VolumeRecord } from '../schemas/container.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { list, listFormat } from './render/output.ts';

interface Flags {
  format: string;
  quiet?: boolean;
}

/** Names are those of `docker volume ls --format json`. */
interface Entry {
  Availability: string;
  Driver: string;
  Group: string;
  Labels: string;
  Links: string;
  Mountpoint: string;
  Name: string;
  Scope: string;
  Size: string;
  Status: string;
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
      .map(entryOf);
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

function entryOf({ name, path, labels, config, key, stack, isAnonymous }: VolumeRecord): Entry {
  const own = {
    ...labels,
    'com.docker.compose.project': stack,
    ...(isAnonymous ? {} : { 'com.docker.compose.volume': key }),
  };
  const { driver } = config as { driver?: string };
  return {
    Availability: 'N/A',
    Driver: driver ?? 'local',
    Group: 'N/A',
    Labels: Object.entries(own)
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
    Links: 'N/A',
    Mountpoint: path,
    Name: name,
    Scope: 'local',
    Size: 'N/A',
    Status: 'N/A',
  };
}
