import type { ContainerRecord } from '../schemas/container.ts';
import type { StoredImage } from '../schemas/oci-image.ts';
import { define } from './command.ts';
import { findContainers, openStack } from './containers.ts';
import { splitName } from './image/format.ts';
import { openImages } from './image/open.ts';
import { ago } from './render/human.ts';
import { list, listFormat } from './render/output.ts';
import { size } from './render/words.ts';

interface Flags {
  format: string;
  quiet?: boolean;
}

/** Names are those of `docker compose images --format json`. */
interface Entry {
  ID: string;
  ContainerName: string;
  Repository: string;
  Tag: string;
  Platform: string;
  /** Bytes. */
  Size: number;
  Created?: string;
}

export const images = define<Flags>({
  usage: 'images [SERVICE...]',
  summary: 'List the images that the containers of the stack were made from',
  dryRun: 'harmless',
  examples: [['stack images -q', 'Print the ids of the images in use.']],
  options(command) {
    command
      .option('--format <format>', 'table, json, or a Go template', listFormat, 'table')
      .option('-q, --quiet', 'print the ids alone');
  },
  async action(context, services, { format, quiet }) {
    const { engine, stack } = await openStack(context);
    const found = await findContainers(engine, stack, services);
    const known = new Map((await openImages(context)).list().map((image) => [image.manifestDigest, image]));
    const records = found.map(({ record }) => record).sort((a, b) => (a.name < b.name ? -1 : 1));
    const images = records.map((record) => known.get(record.image.manifestDigest));
    const entries = records.map((record, index) => entryOf(record, images[index]));
    const { stdout } = context;
    if (quiet) stdout.write([...new Set(entries.map(({ ID }) => `${ID.replace(/^.*:/, '')}\n`))].join(''));
    else if (format === 'json') stdout.write(`${JSON.stringify(entries)}\n`);
    else {
      const rows = entries.map((entry, index) => ({
        ...entry,
        Image: entry.ID.replace(/^.*:/, '').slice(0, 12),
        Bytes: images[index] ? size(entry.Size) : 'N/A',
        Since: entry.Created ? ago(entry.Created, Date.now()) : 'N/A',
      }));
      stdout.write(
        list(rows, format, [
          { title: 'CONTAINER', field: 'ContainerName' },
          { title: 'REPOSITORY', field: 'Repository' },
          { title: 'TAG', field: 'Tag' },
          { title: 'PLATFORM', field: 'Platform' },
          { title: 'IMAGE ID', field: 'Image' },
          { title: 'SIZE', field: 'Bytes' },
          { title: 'CREATED', field: 'Since' },
        ]),
      );
    }
  },
});

/** `image`: absent where it was removed from the store since. */
function entryOf(record: ContainerRecord, image: StoredImage | undefined): Entry {
  const { os = '', architecture = '', variant, created } = (image?.config ?? {}) as Partial<StoredImage['config']>;
  return {
    ID: record.image.id,
    ContainerName: record.name,
    ...splitName(record.image.name),
    Platform: [os, architecture, variant].filter(Boolean).join('/'),
    Size: image?.size ?? 0,
    ...(created ? { Created: created } : {}),
  };
}
