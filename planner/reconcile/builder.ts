/** Collects the operations of a plan, each once, under a readable id. */
import type { ContainerRecord } from '../../schemas/container.ts';
import type { AwaitedCondition, Operation } from '../../schemas/plan.ts';
import type { ObservedContainer, Stray } from '../../schemas/snapshot.ts';
import type { ReconcileOptions } from './options.ts';

type Addition<O = Operation> = O extends Operation
  ? Omit<O, 'id' | 'resource' | 'needs'> & { needs?: string[] }
  : never;

const verbs: Record<Operation['kind'], string> = {
  'image.pull': 'pull',
  'image.build': 'build',
  'network.create': 'create',
  'network.update': 'update',
  'network.remove': 'remove',
  'volume.create': 'create',
  'volume.update': 'update',
  'volume.remove': 'remove',
  'container.create': 'create',
  'container.start': 'start',
  'container.stop': 'stop',
  'container.remove': 'remove',
  'dependency.await': 'await',
  'update.monitor': 'monitor',
  'stray.remove': 'remove',
};

const awaited: Record<AwaitedCondition, string> = {
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
  service_running_or_healthy: 'running',
};

function resourceOf(operation: Addition): string {
  switch (operation.kind) {
    case 'image.build':
      return `image ${operation.image}`;
    case 'image.pull':
      return `image ${operation.image}${operation.platform ? ` for ${operation.platform}` : ''}`;
    case 'network.create':
    case 'network.update':
      return `network ${operation.network.name}`;
    case 'volume.create':
    case 'volume.update':
      return `volume ${operation.volume.name}`;
    case 'network.remove':
      return `network ${operation.record.name}`;
    case 'volume.remove':
      return `volume ${operation.record.name}`;
    case 'container.create':
    case 'container.start':
      return `container ${operation.name}`;
    case 'container.stop':
    case 'container.remove':
      return `container ${operation.record.name}`;
    case 'dependency.await':
    case 'update.monitor':
      return `service ${operation.service}`;
    case 'stray.remove':
      return `${operation.stray.kind} ${shortened(operation.stray)}`;
  }
}

export class Builder {
  readonly operations: Operation[] = [];
  private readonly byId = new Map<string, Operation>();
  private readonly options: ReconcileOptions;
  /** Operations that everything made must wait for: what is in the way goes first. */
  private before: string[] = [];
  private readonly removals = new Map<string, string>();

  constructor(options: ReconcileOptions) {
    this.options = options;
  }

  /** Adds an operation and answers its id. The same id twice is one operation; a second container of a name gets its short id. */
  add(addition: Addition): string {
    const resource = resourceOf(addition);
    let id = `${verbs[addition.kind]} ${resource}`;
    if (addition.kind === 'dependency.await') {
      id += ` ${awaited[addition.condition]}${addition.isRequired ? '' : ' (optional)'}`;
    }
    if (addition.kind === 'update.monitor') id += `, batch ${addition.batch} of ${addition.batches}`;
    const same = this.byId.get(id);
    if (same) {
      const isOther = 'record' in same && 'record' in addition && keyOf(same.record) !== keyOf(addition.record);
      if (!isOther) return id;
      id += ` (${keyOf(addition.record).slice(0, 12)})`;
      if (this.byId.has(id)) return id;
    }
    const isMade = addition.kind === 'container.create' || addition.kind === 'network.create';
    const needs = [...new Set([...(isMade ? this.before : []), ...(addition.needs ?? [])])];
    const operation = { ...addition, id, resource, needs } as Operation;
    this.operations.push(operation);
    this.byId.set(id, operation);
    return id;
  }

  strays(strays: Stray[]): void {
    const cause = 'no record explains it: left over from a command that was interrupted';
    this.before = strays.map((stray) => this.add({ kind: 'stray.remove', stray, cause }));
  }

  /** Stops a container where something of it runs. */
  stop(observed: ObservedContainer, cause: string, needs: string[] = []): string | undefined {
    if (!isUp(observed)) return undefined;
    const { timeoutMs } = this.options;
    return this.add({
      kind: 'container.stop',
      record: observed.record,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      cause,
      needs,
    });
  }

  remove(record: ContainerRecord, cause: string, needs: string[], removeAnonymousVolumes = false): string {
    const id = this.add({ kind: 'container.remove', record, removeAnonymousVolumes, cause, needs });
    this.removals.set(record.id, id);
    return id;
  }

  /** Id of the operation that removes the container, where one does. */
  removalOf(record: ContainerRecord): string | undefined {
    return this.removals.get(record.id);
  }
}

/** Ids of containers as they are known everywhere else. */
const shortened = ({ kind, name }: Stray): string => (kind === 'container' ? name.slice(0, 12) : name);

const keyOf = (record: object): string =>
  'id' in record ? String(record.id) : 'name' in record ? String(record.name) : '';

/** Something of the container runs, or its monitor will start it again. */
export function isUp({ status }: ObservedContainer): boolean {
  return status.state === 'running' || status.state === 'paused' || status.state === 'restarting';
}
