/** One operation of a plan as calls of the engine's rooms. */
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Operation, Plan } from '../../schemas/plan.ts';
import type { Project } from '../../schemas/project.ts';
import { aborted } from './aborted.ts';
import { awaitCondition } from './condition.ts';
import type { Effects } from './effects.ts';
import { runInitHooks } from './init-hooks.ts';
import { monitorBatch } from './rolling.ts';
import type { Journal, World } from './world.ts';

export interface Performing {
  plan: Plan;
  project: Project;
  effects: Effects;
  world: World;
  journal: Journal;
  emit: Emit;
  /** Ends the run: the user's, or another step's failure. */
  signal: AbortSignal;
  /** The user's alone. */
  interrupted?: AbortSignal | undefined;
  waitTimeoutMs?: number | undefined;
  /** Found once a name. */
  images: Map<string, StoredImage>;
  /** Init containers at work, by service or container. */
  hooks: Map<string, Promise<void>>;
  /** Containers of updates that did not hold, by service. */
  failedReplicas: Map<string, number>;
}

export type Creation = Of<'container.create'>;
type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** Throws what the room throws; what was done is in the journal and the world. */
export async function perform(run: Performing, operation: Operation): Promise<void> {
  const { effects, world, journal, plan } = run;
  switch (operation.kind) {
    case 'image.pull':
      await pull(run, operation);
      return;
    case 'image.build':
      await build(run, operation);
      return;
    case 'network.create': {
      const isNew = !world.networks.has(operation.network.name);
      const record = await effects.networks.create(plan.stack, operation.key, operation.network, operation.isRepair);
      world.networks.set(record.name, record);
      if (isNew) journal.networks.push(record);
      return;
    }
    case 'network.update': {
      const record = await effects.networks.update(plan.stack, operation.network);
      world.networks.set(record.name, record);
      return;
    }
    case 'network.remove':
      await effects.networks.remove(operation.record);
      world.networks.delete(operation.record.name);
      journal.networksRemoved.add(operation.record.name);
      return;
    case 'volume.create': {
      const record = await effects.volumes.create(plan.stack, operation.key, operation.volume);
      journal.volumes.push(record);
      return;
    }
    case 'volume.update':
      await effects.volumes.update(plan.stack, operation.volume);
      return;
    case 'volume.remove':
      await effects.volumes.remove(operation.record);
      return;
    case 'container.create':
      await create(run, operation);
      return;
    case 'container.start': {
      const record = world.container(operation.name);
      await runInitHooks(run, record, create);
      const onWarning = (error: StackError) => run.emit({ type: 'warning', error });
      await effects.containers.start(record, { signal: run.signal, project: run.project, onWarning });
      journal.started.add(record.id);
      return;
    }
    case 'container.stop': {
      journal.stopped.push(operation.record);
      const { timeoutMs } = operation;
      await unlessAborted(
        effects.containers.stop(operation.record, {
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          onWarning: (error) => run.emit({ type: 'warning', error }),
        }),
        run,
      );
      return;
    }
    case 'container.remove':
      await effects.containers.remove(operation.record, { removeAnonymousVolumes: operation.removeAnonymousVolumes });
      journal.removed.add(operation.record.id);
      world.removeContainer(operation.record);
      return;
    case 'dependency.await': {
      const { signal, waitTimeoutMs: timeoutMs } = run;
      const records = operation.containers.map((name) => world.container(name));
      await Promise.all(
        records.map((record) => awaitCondition(effects.containers, record, operation.condition, { signal, timeoutMs })),
      );
      return;
    }
    case 'update.monitor':
      return monitorBatch(run, operation);
    case 'stray.remove':
      await effects.strays.remove(plan.stack, operation.stray);
  }
}

async function pull({ effects, emit, signal }: Performing, operation: Of<'image.pull'>): Promise<void> {
  const { id, resource, image, policy, platform } = operation;
  await effects.images.pull(image, {
    policy,
    signal,
    ...(platform ? { platform } : {}),
    onProgress: (progress) => emit({ type: 'progress', id, resource, ...progress }),
  });
}

async function build(
  { effects, emit, signal, project }: Performing,
  { id, resource, service, cause }: Of<'image.build'>,
): Promise<void> {
  emit({ type: 'progress', id, resource, detail: `because ${cause}` });
  await effects.images.build(project, service, {
    signal,
    onProgress: (progress) => emit({ type: 'progress', id, resource, ...progress }),
    onWarning: (error) => emit({ type: 'warning', error }),
  });
}

async function create(run: Performing, operation: Creation): Promise<ContainerRecord> {
  const { effects, world, journal, project } = run;
  const { name, service, number, config, replaces } = operation;
  const networks = new Map<string, NetworkRecord>();
  for (const key of Object.keys(config.networks ?? {})) {
    const record = world.networks.get(project.networks[key]?.name ?? '');
    if (record) networks.set(key, record);
  }
  const mountedImages = new Map<string, StoredImage>();
  for (const { type, source = '' } of config.volumes ?? []) {
    if (type === 'image') mountedImages.set(source, await imageOf(run, source, config.platform));
  }
  // What is stopped leaves its addresses to its successor.
  const siblings = () => [...world.containers.values()].filter(({ id }) => operation.isBeside || id !== replaces?.id);
  const record: ContainerRecord = await effects.containers.create({
    project,
    service,
    number,
    name,
    isOneOff: operation.isOneOff ?? false,
    config,
    image: await imageOf(run, config.image ?? '', config.platform),
    mountedImages,
    networks,
    siblings,
    onWarning: (error) => run.emit({ type: 'warning', error }),
    ...(replaces && !operation.renewAnonymousVolumes ? { replaces } : {}),
  });
  journal.created.push({ record, operation });
  world.addContainer(record);
  return record;
}

async function imageOf({ images, effects }: Performing, name: string, platform?: string): Promise<StoredImage> {
  const key = `${name} ${platform ?? ''}`;
  const known = images.get(key);
  if (known) return known;
  const image = await effects.images.get(name, platform);
  images.set(key, image);
  return image;
}

/**
 * A stop can take as long as its grace period. An interrupted `down` or `stop` leaves it to the container's monitor;
 * the others wait, since they start the container again.
 */
function unlessAborted(work: Promise<unknown>, { signal, plan }: Performing): Promise<unknown> {
  if (signal.aborted || (plan.action !== 'down' && plan.action !== 'stop')) return work;
  return new Promise((resolve, reject) => {
    aborted(signal).then(() => reject(signal.reason));
    work.then(resolve, reject);
  });
}
