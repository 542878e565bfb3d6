import { type Context, define } from '../command.ts';
import { imageEntries } from '../image/format.ts';
import { openImages } from '../image/open.ts';
import { statusText } from '../ps-format.ts';
import { ago } from '../render/human.ts';
import { list } from '../render/output.ts';
import { table } from '../render/table.ts';
import { size } from '../render/words.ts';

interface Row {
  Type: string;
  TotalCount: string;
  Active: string;
  Size: string;
  Reclaimable: string;
}

export const df = define<{ verbose?: boolean; format: string }>({
  usage: 'df',
  summary: 'Show what images, containers and volumes take of the disk',
  examples: [
    ['stack system df', 'Show how much there is, and how much could be freed.'],
    ['stack system df -v', 'Show it for each image, container and volume.'],
  ],
  options(command) {
    command
      .option('-v, --verbose', 'each image, container and volume')
      .option('--format <format>', 'table, json, or a Go template', 'table');
  },
  async action(context, _, { verbose = false, format }) {
    const found = await look(context);
    if (verbose && format === 'json') context.stdout.write(`${JSON.stringify(details(found))}\n`);
    else if (verbose) context.stdout.write(detailTables(found));
    else {
      context.stdout.write(
        list(rows(found), format, [
          { title: 'TYPE', field: 'Type' },
          { title: 'TOTAL', field: 'TotalCount' },
          { title: 'ACTIVE', field: 'Active' },
          { title: 'SIZE', field: 'Size' },
          { title: 'RECLAIMABLE', field: 'Reclaimable' },
        ]),
      );
    }
  },
});

type Found = Awaited<ReturnType<typeof look>>;

async function look(context: Context) {
  const [host, engine, images, { usage }, { containerUsage, volumeUsage }, { cacheItems, cacheSize }] =
    await Promise.all([
      context.host(),
      context.engine(),
      openImages(context),
      import('../../engine/images/usage.ts'),
      import('../../engine/disk-usage.ts'),
      import('../../engine/build/cache.ts'),
    ]);
  const observed = engine.stacks().flatMap((stack) => engine.observeContainers(stack));
  const containers = observed.map(({ record, status }) => ({
    ...containerUsage(host.layout, { record, isRunning: ['running', 'paused', 'restarting'].includes(status.state) }),
    status: statusText(record, status, Date.now()),
  }));
  const cache = cacheItems(images.store, host.layout);
  const sizeOf = (items: typeof cache) => cacheSize(images.store, host.layout, items);
  return {
    cache: { items: cache, size: sizeOf(cache), used: sizeOf(cache.filter(({ isUsed }) => isUsed)) },
    images: usage(images.store, host.layout, images.list()),
    containers,
    volumes: volumeUsage(
      host.layout,
      observed.map(({ record }) => record),
    ),
  };
}

const total = (each: { size: number }[]) => each.reduce((sum, { size }) => sum + size, 0);

function rows({ images, containers, volumes, cache }: Found): Row[] {
  const row = (type: string, count: number, active: number, bytes: number, free: number): Row => ({
    Type: type,
    TotalCount: String(count),
    Active: String(active),
    Size: size(bytes),
    Reclaimable: `${size(free)}${bytes > 0 ? ` (${Math.floor((free * 100) / bytes)}%)` : ''}`,
  });
  // What used and unused images share cannot be freed.
  const kept = new Map<string, number>();
  const used = images.images.filter(({ users, isLeased }) => users.length > 0 || isLeased);
  for (const { parts } of used) for (const [part, bytes] of parts) kept.set(part, bytes);
  const held = [...kept.values()].reduce((sum, bytes) => sum + bytes, 0);
  const running = containers.filter(({ isRunning }) => isRunning);
  const mounted = volumes.filter(({ links }) => links > 0);
  return [
    row('Images', images.images.length, used.length, images.total, images.total - held),
    row('Containers', containers.length, running.length, total(containers), total(containers) - total(running)),
    row('Local Volumes', volumes.length, mounted.length, total(volumes), total(volumes) - total(mounted)),
    row(
      'Build Cache',
      cache.items.length,
      cache.items.filter(({ isUsed }) => isUsed).length,
      cache.size,
      cache.size - cache.used,
    ),
  ];
}

function details({ images, containers, volumes, cache }: Found) {
  return {
    Images: images.images.flatMap(({ image, size: whole, unique, users }) =>
      imageEntries([image], Date.now(), false).map(({ Repository, Tag, ID, CreatedSince }) => ({
        Repository,
        Tag,
        ID,
        CreatedSince,
        Size: size(whole),
        SharedSize: size(whole - unique),
        UniqueSize: size(unique),
        Containers: String(users.length),
      })),
    ),
    Containers: containers.map(({ record, status, size: bytes }) => ({
      ID: record.id.slice(0, 12),
      Image: record.config.image ?? record.image.name,
      LocalVolumes: String(record.mounts.filter(({ type }) => type === 'volume').length),
      Size: size(bytes),
      RunningFor: ago(record.createdAt, Date.now()),
      Status: status,
      Names: record.name,
    })),
    Volumes: volumes.map(({ name, links, size: bytes }) => ({ Name: name, Links: String(links), Size: size(bytes) })),
    BuildCache: cache.items.map(({ key, kind, size: bytes, lastUsed, isUsed, isShared }) => ({
      ID: key.slice(0, 12),
      CacheType: kind === 'step' ? 'regular' : 'exec.cachemount',
      Size: size(bytes),
      LastUsedSince: ago(new Date(lastUsed).toISOString(), Date.now()),
      InUse: String(isUsed),
      Shared: String(isShared),
    })),
  };
}

function detailTables(found: Found): string {
  const { Images, Containers, Volumes, BuildCache } = details(found);
  const part = (title: string, header: string[], lines: object[]) =>
    `${title} space usage:\n\n${table(
      header,
      lines.map((line) => Object.values(line) as string[]),
    )}\n`;
  return [
    part(
      'Images',
      ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE', 'SHARED SIZE', 'UNIQUE SIZE', 'CONTAINERS'],
      Images,
    ),
    part('Containers', ['CONTAINER ID', 'IMAGE', 'LOCAL VOLUMES', 'SIZE', 'CREATED', 'STATUS', 'NAMES'], Containers),
    part('Local Volumes', ['VOLUME NAME', 'LINKS', 'SIZE'], Volumes),
    part('Build cache', ['CACHE ID', 'CACHE TYPE', 'SIZE', 'LAST USED', 'IN USE', 'SHARED'], BuildCache),
    `Left by interrupted commands: ${size(found.images.unreferenced)}\n`,
  ].join('');
}
