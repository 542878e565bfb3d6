/** What the machine has of a stack: records, what the shims report, and what only the kernel knows. */
import { readlinkSync, renameSync, statSync } from 'node:fs';
import { otherImages } from '../planner/images/others.ts';
import type { NetworkRecord } from '../schemas/container.ts';
import type { StackError } from '../schemas/errors.ts';
import type { StoredImage } from '../schemas/oci-image.ts';
import type { Project } from '../schemas/project.ts';
import type { ObservedContainer, ObservedImage, ObservedVolume, Snapshot } from '../schemas/snapshot.ts';
import type { Host } from './host.ts';
import { observeBridges } from './network/drift.ts';
import { loadRecords } from './network/records.ts';
import { findStrays } from './observe-strays.ts';
import { readStatus } from './runtime/status.ts';
import { damagedContainers, listContainers } from './state/records.ts';
import { hasContent, listVolumes } from './volumes/records.ts';

export interface Observation {
  host: Host;
  stack: string;
  /** Its images, and the external networks and volumes it names, are looked up too. */
  project?: Project | undefined;
  findImage?: (name: string, platform?: string) => Pick<StoredImage, 'id' | 'manifestDigest' | 'digest'> | undefined;
  /** With the stack's lock held: what no record explains is looked for. */
  withStrays?: boolean;
  /** Records that cannot be read are an error, unless they are to be left out. */
  damaged?: 'refuse' | 'leave out';
}

/** Containers and their states only: what `ps` shows. Sorted by service and number. @throws state.damaged */
export function observeContainers(
  { kernel, layout }: Host,
  stack: string,
  damaged: 'refuse' | 'leave out' = 'refuse',
): Snapshot['containers'] {
  const records = listContainers(layout, stack, damaged);
  const isShared = records.some(({ networkPeer }) => networkPeer !== undefined);
  return records.map((record) => {
    const { warnings: _, ...status } = readStatus(kernel, layout.containerRun(record.id));
    const networkNamespace = isShared ? namespaceOf(status.pid) : undefined;
    return { record, status, ...(networkNamespace ? { networkNamespace } : {}) };
  });
}

function namespaceOf(pid: number): string | undefined {
  try {
    return pid > 0 ? readlinkSync(`/proc/${pid}/ns/net`) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws StackError state.damaged, image.store, network.kernel */
export async function observe({
  host,
  stack,
  project,
  findImage,
  withStrays,
  damaged,
}: Observation): Promise<Snapshot> {
  const all = observeContainers(host, stack, damaged);
  const containers = withStrays ? all.filter((one) => isWhole(host, one)) : all;
  const wantedNetworks = new Set(Object.values(project?.networks ?? {}).map(({ name }) => name));
  const wantedVolumes = new Set(Object.values(project?.volumes ?? {}).map(({ name }) => name));
  const networks = loadRecords(host.layout).filter((one) => one.stack === stack || wantedNetworks.has(one.name));
  const records = containers.map(({ record }) => record);
  const [bridges, strays] = await Promise.all([
    observeBridges(host.kernel.network, networks, networksInUse(stack, containers, networks)),
    withStrays ? findStrays(host, stack, records, networks) : [],
  ]);
  return {
    stack,
    containers,
    networks: networks.map((record) => ({ record, ...bridges(record) })),
    volumes: listVolumes(host.layout)
      .filter((one) => one.stack === stack || wantedVolumes.has(one.name))
      .map((one): ObservedVolume => (hasContent(one) ? one : { ...one, isContentGone: true })),
    images: project && findImage ? observeImages(project, findImage) : [],
    strays,
  };
}

/** The stack's own networks that something of it runs on. */
function networksInUse(stack: string, containers: ObservedContainer[], networks: NetworkRecord[]): Set<string> {
  const own = new Set(networks.filter((record) => record.stack === stack).map(({ name }) => name));
  const running = containers.filter(({ status }) => status.state === 'running' || status.state === 'paused');
  const joined = running.flatMap(({ record }) => record.endpoints.map(({ networkName }) => networkName));
  return new Set(joined.filter((name) => own.has(name)));
}

/**
 * After a power cut a container may have its record and not yet what it is started from. Nothing has run in it that is
 * worth keeping: it is taken for what an interrupted command left.
 */
function isWhole({ layout }: Host, { record, status }: ObservedContainer): boolean {
  if (status.pid !== 0) return true;
  const directory = layout.containerDir(record.stack, record.id);
  const size = (name: string) => statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.size ?? 0;
  return size('config.json') > 0 && size('program') > 0;
}

function observeImages(project: Project, findImage: NonNullable<Observation['findImage']>): ObservedImage[] {
  const images = new Map<string, ObservedImage>();
  for (const service of Object.values(project.services)) {
    for (const name of [service.image, ...otherImages(service)]) {
      if (!name || images.has(name)) continue;
      const found = findImage(name, service.platform);
      if (!found) continue;
      const { id, manifestDigest, digest } = found;
      images.set(name, { name, id, manifestDigest, digest });
    }
  }
  return [...images.values()];
}

/**
 * For `down`: a damaged record must not keep its stack from being taken down. Each is moved aside, which makes what it
 * stood for a stray. Answers what was found, for the user to know.
 */
export function setDamagedAside({ layout }: Host, stack: string): StackError[] {
  return damagedContainers(layout, stack).map(({ path, error }) => {
    renameSync(path, `${path}.damaged`);
    return error;
  });
}
