/**
 * A machine in memory for tests of reconcile: applies a plan to a snapshot the way the engine would, with nothing that
 * goes wrong. Operations are applied in any order their needs allow, chosen by `pick`, until `steps` are done: then the
 * command was killed.
 */
import type { ContainerRecord, ContainerStatus, Endpoint, ResolvedMount } from '../../schemas/container.ts';
import type { Operation, Plan } from '../../schemas/plan.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../../schemas/snapshot.ts';
import { grantsOf } from './grants.ts';

export function emptySnapshot(stack: string): Snapshot {
  return { stack, containers: [], networks: [], volumes: [], images: [], strays: [] };
}

export function statusOf(change: Partial<ContainerStatus> = {}): ContainerStatus {
  return {
    state: 'running',
    pid: 100,
    shimPid: 99,
    exitCode: 0,
    isOomKilled: false,
    health: 'none',
    failingStreak: 0,
    probeOutput: '',
    probeExitCode: 0,
    restartCount: 0,
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: '',
    isStopRequested: false,
    ...change,
  };
}

let ids = 0;

/** The record a container gets, with endpoints and mounts as far as reconcile reads them. */
export function recordOf(
  project: Project,
  operation: Extract<Operation, { kind: 'container.create' }>,
  world: Snapshot = emptySnapshot(project.name),
): ContainerRecord {
  const { name, service, number, config } = operation;
  const id = (++ids).toString(16).padStart(64, '0');
  const imageName = config.image ?? '';
  const grants = grantsOf(project, config);
  return {
    id,
    name,
    stack: project.name,
    service,
    number,
    isOneOff: operation.isOneOff ?? false,
    config: structuredClone(config),
    image: { name: imageName, id: `sha256:${Buffer.from(imageName).toString('hex')}`, manifestDigest: '' },
    ...(grants ? { grants } : {}),
    labels: { ...(config.labels as Record<string, string> | undefined) },
    endpoints: Object.keys(config.networks ?? {}).map((key) => endpointOf(project, key, world)),
    ...peerOf(config, world),
    ports: [],
    mounts: (config.volumes ?? []).flatMap((mount) => mountOf(project, mount)),
    stopSignal: 15,
    stopGraceMs: 10_000,
    hasHealthcheck: config.healthcheck?.test !== undefined,
    isTty: false,
    createdAt: new Date(Date.UTC(2026, 0, 1) + ids).toISOString(),
  };
}

function peerOf(config: Service, world: Snapshot): { networkPeer?: string } {
  const [kind, name] = config.network_mode?.split(':') ?? [];
  if (kind !== 'service') return {};
  const [peer] = world.containers
    .map(({ record }) => record)
    .filter(({ service }) => service === name)
    .sort((a, b) => a.number - b.number || b.createdAt.localeCompare(a.createdAt));
  return peer ? { networkPeer: peer.id } : {};
}

function endpointOf(project: Project, key: string, world: Snapshot): Endpoint {
  const networkName = project.networks[key]!.name;
  const networkId = world.networks.find(({ record }) => record.name === networkName)?.record.id;
  const fixed = {
    interface: 'eth0',
    hostInterface: '',
    bridge: '',
    mac: '',
    aliases: [],
    slot: 0,
    isDefaultRoute: true,
  };
  return { network: key, networkName, ...(networkId ? { networkId } : {}), ...fixed };
}

function mountOf(project: Project, mount: NonNullable<Service['volumes']>[number]): ResolvedMount[] {
  if (mount.type !== 'volume' || !mount.source) return [];
  const { name } = project.volumes[mount.source]!;
  return [
    { type: 'volume', name, source: `/volumes/${name}`, target: mount.target, readOnly: false, isAnonymous: false },
  ];
}

/** Throws where an operation finds the world other than its plan promised: a needed one was not declared. */
export function applyPlan(
  project: Project,
  snapshot: Snapshot,
  plan: Plan,
  pick: (ready: number) => number = () => 0,
  steps = Number.POSITIVE_INFINITY,
): Snapshot {
  const world = structuredClone(snapshot);
  const done = new Set<string>();
  const waiting = [...plan.operations];
  while (waiting.length > 0 && done.size < steps) {
    const ready = waiting.filter(({ needs }) => needs.every((need) => done.has(need)));
    if (ready.length === 0) throw new Error(`no operation is ready: ${waiting.map(({ id }) => id).join(', ')}`);
    const next = ready[pick(ready.length)]!;
    perform(project, world, next);
    done.add(next.id);
    waiting.splice(waiting.indexOf(next), 1);
  }
  return world;
}

function perform(project: Project, world: Snapshot, operation: Operation): void {
  const expect = (condition: unknown, what: string) => {
    if (!condition) throw new Error(`${operation.id}: ${what}`);
  };
  const byId = (record: ContainerRecord) => world.containers.find((container) => container.record.id === record.id);
  const isUp = ({ status }: ObservedContainer) => ['running', 'paused', 'restarting'].includes(status.state);
  const newest = (name: string) =>
    world.containers
      .filter(({ record }) => record.name === name)
      .sort((a, b) => a.record.createdAt.localeCompare(b.record.createdAt))
      .at(-1);
  switch (operation.kind) {
    case 'image.build':
    case 'image.pull': {
      const id = `sha256:${Buffer.from(operation.image).toString('hex')}`;
      world.images = world.images.filter(({ name }) => name !== operation.image);
      world.images.push({ name: operation.image, id, manifestDigest: '' });
      return;
    }
    case 'network.create': {
      const { network, key } = operation;
      const restored = world.networks.find(({ record }) => record.name === network.name)?.record;
      world.networks = world.networks.filter(({ record, exists }) => {
        expect(record.name !== network.name || !exists || operation.isRepair, 'the network exists');
        return record.name !== network.name;
      });
      const record = {
        id: restored?.id ?? `${++ids}`,
        key,
        name: network.name,
        stack: project.name,
        driver: 'bridge' as const,
        bridge: 'stk',
        isInternal: false,
      };
      world.networks.push({ record: { ...record, labels: {}, config: structuredClone(network) }, exists: true });
      return;
    }
    case 'network.remove': {
      const { name } = operation.record;
      const user = world.containers.find((c) => isUp(c) && c.record.endpoints.some((end) => end.networkName === name));
      expect(!user, `${user?.record.name} uses it`);
      world.networks = world.networks.filter(({ record }) => record.name !== name);
      return;
    }
    case 'network.update':
      world.networks.find(({ record }) => record.name === operation.network.name)!.record.config = structuredClone(
        operation.network,
      );
      return;
    case 'volume.update':
      world.volumes.find(({ name }) => name === operation.volume.name)!.config = structuredClone(operation.volume);
      return;
    case 'volume.create': {
      const { key, volume } = operation;
      world.volumes = world.volumes.filter(({ name, isContentGone }) => {
        expect(name !== volume.name || isContentGone, 'the volume exists');
        return name !== volume.name;
      });
      const record = {
        key,
        name: volume.name,
        stack: project.name,
        path: '',
        isAnonymous: false,
        labels: {},
        createdAt: '',
      };
      world.volumes.push({ ...record, config: structuredClone(volume) });
      return;
    }
    case 'volume.remove': {
      const { name } = operation.record;
      const uses = (record: ContainerRecord) =>
        record.mounts.some((mount) => mount.type === 'volume' && mount.name === name);
      expect(!world.containers.some(({ record }) => uses(record)), 'it is in use');
      world.volumes = world.volumes.filter((volume) => volume.name !== name);
      return;
    }
    case 'container.create': {
      const { config, replaces } = operation;
      expect(
        world.images.some(({ name }) => name === config.image),
        'its image is not there',
      );
      for (const key of Object.keys(config.networks ?? {})) {
        const { name } = project.networks[key]!;
        expect(
          world.networks.some((n) => n.record.name === name && n.exists),
          `network ${name} is not there`,
        );
      }
      const taken = world.containers.filter(({ record }) => record.name === operation.name);
      expect(
        taken.every((old) => old.record.id === replaces?.id && (operation.isBeside === true || !isUp(old))),
        'its name is taken',
      );
      world.containers.push({
        record: recordOf(project, operation, world),
        status: statusOf({ state: 'created', pid: 0 }),
      });
      return;
    }
    case 'container.start': {
      const found = newest(operation.name);
      expect(found && !isUp(found), 'it is not there, or runs');
      const peer = world.containers.find(({ record }) => record.id === found!.record.networkPeer);
      expect(!found!.record.networkPeer || peer, 'the container whose network it shares is gone');
      found!.networkNamespace = peer?.networkNamespace ?? `net:[${++ids}]`;
      const job = found!.record.config.command?.[0] === 'true';
      const health = found!.record.hasHealthcheck ? 'healthy' : 'none';
      found!.status = job ? statusOf({ state: 'exited', pid: 0 }) : statusOf({ health });
      return;
    }
    case 'container.stop': {
      const found = byId(operation.record);
      expect(found && isUp(found), 'it does not run');
      found!.status = statusOf({ state: 'exited', pid: 0, isStopRequested: true, exitCode: 137 });
      return;
    }
    case 'container.remove': {
      const found = byId(operation.record);
      expect(found && !isUp(found), 'it is not there, or runs');
      world.containers = world.containers.filter((container) => container !== found);
      return;
    }
    case 'dependency.await':
      for (const name of operation.containers) {
        const found = newest(name);
        const { state, health } = found?.status ?? {};
        const isDone = state === 'exited' && found!.status.exitCode === 0;
        const isMet =
          operation.condition === 'service_completed_successfully'
            ? isDone
            : state === 'running' && (health === 'healthy' || operation.condition !== 'service_healthy');
        expect(isMet, `${name} is ${state}, ${health}`);
      }
      return;
    case 'update.monitor':
      for (const name of operation.containers) expect(isUp(newest(name)!), `${name} does not run`);
      return;
    case 'stray.remove':
      world.strays = world.strays.filter(({ name }) => name !== operation.stray.name);
  }
}
