/** The engine's rooms, each loaded when it is first entered, and the effects of a plan as their calls. */
import { rm } from 'node:fs/promises';
import type { ContainerRecord, NetworkRecord } from '../schemas/container.ts';
import { StackError } from '../schemas/errors.ts';
import type { Stray } from '../schemas/snapshot.ts';
import type { BuildEvent, Builds } from './build/builds.ts';
import type { Containers } from './containers/containers.ts';
import type { Effects } from './execute/effects.ts';
import type { Host } from './host.ts';
import type { Hold, Images } from './images/images.ts';
import type { Networks } from './network/network.ts';
import type { Volumes } from './volumes/volumes.ts';

export interface Rooms {
  builds(): Promise<Builds>;
  containers(): Promise<Containers>;
  images(): Promise<Images>;
  networks(): Promise<Networks>;
  volumes(): Promise<Volumes>;
}

export function createRooms(host: Host): Rooms {
  const networks = once(async () => (await import('./network/network.ts')).createNetworks(host));
  const volumes = once(async () => (await import('./volumes/volumes.ts')).createVolumes(host));
  const images = once(async () => (await import('./images/images.ts')).createImages(host));
  return {
    networks,
    volumes,
    images,
    builds: once(async () => {
      const [{ createBuilds }, room] = await Promise.all([import('./build/builds.ts'), images()]);
      return createBuilds(host, room, networks);
    }),
    containers: once(async () => {
      const [{ createContainers }, network, volume] = await Promise.all([
        import('./containers/implementation.ts'),
        networks(),
        volumes(),
      ]);
      return createContainers(host, network, volume, async (name) => void (await (await images()).pull(name)));
    }),
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** `hold`: keeps the images from being removed until their containers are there; the caller gives it back. */
export async function createEffects(host: Host, rooms: Rooms, hold: Hold): Promise<Effects> {
  const [containers, networks, volumes, images, { readLog }] = await Promise.all([
    rooms.containers(),
    rooms.networks(),
    rooms.volumes(),
    rooms.images(),
    import('./logs/logs.ts'),
  ]);
  return {
    containers,
    volumes,
    images: {
      get: hold.use,
      pull: (name, options) => images.pull(name, options),
      async build(project, service, { signal, onProgress, onWarning }) {
        const builds = await rooms.builds();
        const { requestOf } = await import('./build/request.ts');
        const emit = ({ type, vertex }: BuildEvent) => {
          if (type === 'started') onProgress({ detail: vertex.name });
        };
        await builds.build(
          requestOf(project, service, { isForOne: true }, process.env, { emit, warn: onWarning, signal }),
        );
      },
    },
    networks: {
      async create(stack, key, network, isRepair) {
        const record = await networks.create(stack, key, network);
        if (isRepair) await containers.publish(stack);
        return record;
      },
      update: async (stack, network) => networks.update(stack, network),
      remove: together((records: NetworkRecord[]) => networks.remove(records)),
    },
    strays: { remove: (stack, stray) => removeStray(stack, stray, containers, networks) },
    lastLines(record, count) {
      const directory = host.layout.containerDir(record.stack, record.id);
      return [...readLog(directory, { tail: count })].map(({ text }) => text.toString('utf8'));
    },
  };
}

/** Calls of the same moment become one: the kernel takes links away faster together than one by one. */
function together<T>(work: (items: T[]) => Promise<void>): (item: T) => Promise<void> {
  let waiting: T[] = [];
  let next: Promise<void> | undefined;
  return (item) => {
    waiting.push(item);
    next ??= Promise.resolve().then(() => {
      const items = waiting;
      waiting = [];
      next = undefined;
      return work(items);
    });
    return next;
  };
}

async function removeStray(stack: string, stray: Stray, containers: Containers, networks: Networks): Promise<void> {
  switch (stray.kind) {
    case 'container':
      return containers.remove(remains(stack, stray.name));
    case 'link': {
      const network: NetworkRecord = { ...noNetwork, name: stray.name, stack, bridge: stray.name };
      return networks.remove([network]);
    }
    case 'table':
      // With a network that was the stack's last, its rules go, and with the machine's last what closed forwarding.
      return networks.remove([{ ...noNetwork, name: '.stray', stack, bridge: 'st-' }]);
    case 'directory':
      return rm(stray.name, { recursive: true, force: true });
    default:
      throw new StackError('internal', { message: `Nothing removes a stray ${stray.kind} (${stray.name}).` });
  }
}

const noNetwork: NetworkRecord = {
  key: '',
  name: '',
  stack: '',
  driver: 'bridge',
  bridge: '',
  isInternal: false,
  labels: {},
  config: { name: '', ipam: {} },
};

/** A record of what has none: enough to find everything that carries the id. */
function remains(stack: string, id: string): ContainerRecord {
  return {
    id,
    name: id.slice(0, 12),
    stack,
    service: '',
    number: 0,
    isOneOff: true,
    config: { command: null, entrypoint: null },
    image: { name: '', id: '', manifestDigest: '' },
    labels: {},
    endpoints: [],
    ports: [],
    mounts: [],
    stopSignal: 9,
    stopGraceMs: 0,
    hasHealthcheck: false,
    isTty: false,
    createdAt: '',
  };
}
