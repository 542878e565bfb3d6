/** What the executor knows of the stack while it works: the snapshot, brought forward by what was done. */
import type { ContainerRecord, NetworkRecord, VolumeRecord } from '../../schemas/container.ts';
import type { Operation, Plan } from '../../schemas/plan.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';

export class World {
  /** By id. */
  readonly containers = new Map<string, ContainerRecord>();
  /** By name on the machine. */
  readonly networks = new Map<string, NetworkRecord>();
  private readonly named = new Map<string, ContainerRecord>();

  constructor(snapshot: Snapshot, plan: Plan) {
    const leaving = new Set(plan.operations.flatMap((one) => (one.kind === 'container.remove' ? [one.record.id] : [])));
    // Of two with one name the one that stays is meant, else the newer one.
    const sorted = snapshot.containers
      .map(({ record }) => record)
      .sort(
        (a, b) =>
          Number(leaving.has(b.id)) - Number(leaving.has(a.id)) ||
          (a.createdAt < b.createdAt ? -1 : Number(a.createdAt > b.createdAt)),
      );
    for (const record of sorted) this.addContainer(record);
    for (const { record } of snapshot.networks) this.networks.set(record.name, record);
  }

  addContainer(record: ContainerRecord): void {
    this.containers.set(record.id, record);
    this.named.set(record.name, record);
  }

  removeContainer(record: ContainerRecord): void {
    this.containers.delete(record.id);
    if (this.named.get(record.name)?.id === record.id) this.named.delete(record.name);
  }

  container(name: string): ContainerRecord {
    const record = this.named.get(name);
    if (!record) throw new Error(`the plan names the container ${name}, which does not exist`);
    return record;
  }

  /** In order of service and number. */
  sortedContainers(): ContainerRecord[] {
    const order = (a: string, b: string) => (a < b ? -1 : Number(a > b));
    return [...this.containers.values()].sort((a, b) => order(a.service, b.service) || a.number - b.number);
  }
}

type Create = Extract<Operation, { kind: 'container.create' }>;

/** Its anonymous volumes were made for it. Those handed on belong to the container it was to replace. */
export const hasOwnVolumes = ({ replaces, renewAnonymousVolumes }: Create): boolean =>
  replaces === undefined || renewAnonymousVolumes === true;

/** What a run did that can be undone, in the order it was done. */
export interface Journal {
  networks: NetworkRecord[];
  /** Names. */
  networksRemoved: Set<string>;
  volumes: VolumeRecord[];
  created: { record: ContainerRecord; operation: Create }[];
  /** Ids of containers. */
  started: Set<string>;
  removed: Set<string>;
  stopped: ContainerRecord[];
}

export const emptyJournal = (): Journal => ({
  networks: [],
  networksRemoved: new Set(),
  volumes: [],
  created: [],
  started: new Set(),
  removed: new Set(),
  stopped: [],
});
