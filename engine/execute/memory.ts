/**
 * A machine in memory for tests of the executor: the engine's rooms with their promises about what is made and what
 * a failure leaves, and a counter that makes call number N fail.
 */
import { emptySnapshot, recordOf, statusOf } from '../../planner/reconcile/simulated.ts';
import type { ContainerRecord, ContainerStatus, NetworkRecord, VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Project } from '../../schemas/project.ts';
import type { Snapshot, Stray } from '../../schemas/snapshot.ts';
import type { Effects } from './effects.ts';

export interface Behaviour {
  /** The status a container has some moments after its start, by its name or its service. */
  becomes?: Record<string, Partial<ContainerStatus>>;
  /** Called before every effect takes place: throws to make it fail, interrupts the run, or never ends, as after a kill. */
  onCall?: (count: number, what: string) => void | Promise<void>;
}

export class Memory {
  readonly log: string[] = [];
  readonly containers = new Map<string, { record: ContainerRecord; status: ContainerStatus }>();
  readonly networks = new Map<string, NetworkRecord>();
  readonly volumes = new Map<string, VolumeRecord>();
  readonly images = new Set<string>();
  readonly strays: Stray[] = [];
  readonly effects: Effects;
  calls = 0;
  behaviour: Behaviour = {};
  /** By id of the container. */
  private readonly watchers = new Map<string, Set<() => void>>();
  private readonly project: Project;

  constructor(project: Project) {
    this.project = project;
    this.effects = this.makeEffects();
  }

  snapshot(): Snapshot {
    return {
      ...emptySnapshot(this.project.name),
      containers: structuredClone([...this.containers.values()]),
      networks: structuredClone([...this.networks.values()]).map((record) => ({ record, exists: true })),
      volumes: structuredClone([...this.volumes.values()]),
      strays: structuredClone(this.strays),
      images: [...this.images].map((name) => ({ name, id: imageId(name), manifestDigest: '' })),
    };
  }

  setStatus(id: string, change: Partial<ContainerStatus>): void {
    const container = this.containers.get(id);
    if (!container) return;
    container.status = statusOf(change);
    for (const notify of this.watchers.get(id) ?? []) notify();
  }

  private async call(what: string): Promise<void> {
    this.log.push(what);
    await Promise.resolve();
    await this.behaviour.onCall?.(++this.calls, what);
  }

  private makeEffects(): Effects {
    return {
      containers: {
        create: async (request) => {
          const { name, service, number, config, isOneOff } = request;
          const common = { id: '', resource: '', cause: '', needs: [] };
          const record = recordOf(this.project, {
            ...common,
            kind: 'container.create',
            name,
            service,
            number,
            config,
            isOneOff,
          });
          await this.call(`create ${name}`);
          this.containers.set(record.id, { record, status: statusOf({ state: 'created', startedAt: '' }) });
          return record;
        },
        start: async (record) => {
          await this.call(`start ${record.name}`);
          const state = this.containers.get(record.id)?.status.state;
          if (state === undefined) throw new Error(`${record.name} is not there`);
          if (state === 'running') throw new Error(`${record.name} runs already`);
          this.setStatus(record.id, { health: record.hasHealthcheck ? 'starting' : 'none' });
          const next =
            this.behaviour.becomes?.[record.name] ??
            this.behaviour.becomes?.[record.service] ??
            (record.hasHealthcheck ? { health: 'healthy' } : undefined);
          if (!next) return;
          setImmediate(() => {
            if (this.containers.get(record.id)?.status.state === 'running') this.setStatus(record.id, next);
          });
        },
        stop: async (record) => {
          await this.call(`stop ${record.name}`);
          this.setStatus(record.id, { state: 'exited', isStopRequested: true });
        },
        remove: async (record) => {
          await this.call(`remove ${record.name}`);
          this.containers.delete(record.id);
        },
        status: (record) => this.containers.get(record.id)?.status ?? statusOf({ state: 'dead' }),
        watch: (record, onChange) => {
          const notify = () => onChange(this.effects.containers.status(record));
          const all = this.watchers.get(record.id) ?? new Set();
          this.watchers.set(record.id, all.add(notify));
          notify();
          return { [Symbol.dispose]: () => void all.delete(notify) };
        },
      },
      images: {
        get: async (name) => ({ id: imageId(name) }) as StoredImage,
        build: async (project, service, { signal }) => {
          await this.call(`build ${service}`);
          signal.throwIfAborted();
          this.images.add(project.services[service]!.image!);
        },
        pull: async (name, { signal }) => {
          await this.call(`pull ${name}`);
          signal.throwIfAborted();
          if (name === 'missing') throw new StackError('image.not-found', { message: 'There is no image missing.' });
          this.images.add(name);
        },
      },
      networks: {
        create: async (stack, key, config) => {
          await this.call(`create network ${config.name}`);
          const fixed = { driver: 'bridge' as const, bridge: 'b', isInternal: false, labels: {} };
          const record = { key, name: config.name, stack, config, ...fixed };
          this.networks.set(config.name, record);
          return record;
        },
        update: async (_, config) => {
          await this.call(`update network ${config.name}`);
          const record = { ...this.networks.get(config.name)!, config };
          this.networks.set(config.name, record);
          return record;
        },
        remove: async (record) => {
          await this.call(`remove network ${record.name}`);
          this.networks.delete(record.name);
        },
      },
      volumes: {
        create: async (stack, key, config) => {
          await this.call(`create volume ${config.name}`);
          const fixed = { path: '', isAnonymous: false, labels: {}, createdAt: '' };
          const record = { key, name: config.name, stack, config, ...fixed };
          this.volumes.set(config.name, record);
          return record;
        },
        update: async (_, config) => {
          await this.call(`update volume ${config.name}`);
          const record = { ...this.volumes.get(config.name)!, config };
          this.volumes.set(config.name, record);
          return record;
        },
        remove: async (record) => {
          await this.call(`remove volume ${record.name}`);
          this.volumes.delete(record.name);
        },
      },
      strays: {
        remove: async (_, stray) => {
          await this.call(`remove ${stray.kind} ${stray.name}`);
          const at = this.strays.findIndex(({ name }) => name === stray.name);
          if (at >= 0) this.strays.splice(at, 1);
        },
      },
      lastLines: (record) => [`last words of ${record.service}`],
    };
  }
}

const imageId = (name: string) => `sha256:${Buffer.from(name).toString('hex')}`;
