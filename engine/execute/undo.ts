/** Takes back what a failed run made and did not finish. What runs keeps running, unless an image could not be had. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { asStackError, type StackError } from '../../schemas/errors.ts';
import type { Operation, OperationKind } from '../../schemas/plan.ts';
import type { Performing } from './perform.ts';
import { failedUpdates, rollBack } from './rolling.ts';
import type { Course } from './schedule.ts';
import { hasOwnVolumes } from './world.ts';

export interface Undone {
  /** What was taken back, in the order it was done. `update.monitor`: the container is back in its place. */
  done: { kind: OperationKind; resource: string }[];
  errors: StackError[];
}

/**
 * Containers made and never started, or started in a batch of an update that did not hold, are removed (all that were
 * made, where `isWhole`: then the run changes nothing), those stopped only to be replaced or restarted are started
 * again, updates that say so are rolled back, and those whose successor runs go; then networks and volumes made in this run that nothing uses go.
 * What goes wrong never hides the failure.
 */
export async function undo(run: Performing, course: Course, isWhole: boolean): Promise<Undone> {
  const { journal, effects, world } = run;
  const undone: Undone = { done: [], errors: [] };
  const tell = (kind: OperationKind, resource: string) => {
    undone.done.push({ kind, resource });
    run.emit({ type: 'undone', id: `undo ${kind} ${resource}`, kind, resource });
  };
  const attempt = async (kind: OperationKind, resource: string, work: () => Promise<unknown>) => {
    try {
      await work();
      tell(kind, resource);
    } catch (thrown) {
      undone.errors.push(asStackError(thrown, 'internal', { resource, operation: 'undo' }));
    }
  };
  await Promise.all(
    unfinished(run, course, isWhole).map(({ record, operation }) =>
      attempt('container.create', `container ${record.name}`, async () => {
        // Beside the one it was to replace it may have answered requests.
        if (journal.started.has(record.id)) await effects.containers.stop(record);
        await effects.containers.remove(record, { removeAnonymousVolumes: hasOwnVolumes(operation) });
        world.removeContainer(record);
        journal.removed.add(record.id);
      }),
    ),
  );
  await Promise.all(
    interrupted(run).map((record) =>
      attempt('container.stop', `container ${record.name}`, () => effects.containers.start(record)),
    ),
  );
  for (const operation of failedUpdates(run, course)) {
    if (run.interrupted?.aborted) continue;
    const wrong = await rollBack(run, operation, ({ name }) => tell('update.monitor', `container ${name}`));
    undone.errors.push(...wrong);
  }
  for (const { record, removeAnonymousVolumes } of outlived(run)) {
    try {
      await effects.containers.stop(record);
      await effects.containers.remove(record, { removeAnonymousVolumes });
      world.removeContainer(record);
    } catch (thrown) {
      const at = { resource: `container ${record.name}`, operation: 'container.remove' };
      undone.errors.push(asStackError(thrown, 'internal', at));
    }
  }
  const left = [...world.containers.values()];
  await Promise.all([
    ...journal.networks
      .filter(({ name }) => world.networks.has(name) && !left.some((record) => joins(record, name)))
      .map((record) =>
        attempt('network.create', `network ${record.name}`, async () => {
          await effects.networks.remove(record);
          world.networks.delete(record.name);
        }),
      ),
    ...journal.volumes
      .filter(({ name }) => !left.some((record) => mounts(record, name)))
      .map((record) => attempt('volume.create', `volume ${record.name}`, () => effects.volumes.remove(record))),
  ]);
  return undone;
}

const joins = (record: ContainerRecord, name: string) => record.endpoints.some((one) => one.networkName === name);
const mounts = (record: ContainerRecord, name: string) =>
  record.mounts.some((mount) => mount.type === 'volume' && mount.name === name);

/** Made to be started, and not started or not known to hold. One whose predecessor is gone already stays: it is all there is. */
function unfinished({ journal, plan }: Performing, { done }: Course, isWhole: boolean) {
  if (isWhole) return journal.created;
  const toStart = new Set<string>();
  const unproven = new Set<string>();
  for (const one of plan.operations) {
    if (one.kind === 'container.start') toStart.add(one.name);
    if (one.kind === 'update.monitor' && !done.has(one.id)) for (const name of one.containers) unproven.add(name);
  }
  return journal.created.filter(
    ({ record, operation }) =>
      toStart.has(record.name) &&
      (!journal.started.has(record.id) || unproven.has(record.name)) &&
      !(operation.replaces && journal.removed.has(operation.replaces.id)),
  );
}

/** Those whose successor runs: what was meant for them is done all the same, so that no two have one name. */
function outlived({ journal, plan, world }: Performing) {
  const successors = new Map(journal.created.map(({ record, operation }) => [operation.replaces?.id, record.id]));
  return plan.operations.filter((one) => {
    if (one.kind !== 'container.remove' || !world.containers.has(one.record.id)) return false;
    const successor = successors.get(one.record.id);
    return successor !== undefined && journal.started.has(successor) && world.containers.has(successor);
  }) as Extract<Operation, { kind: 'container.remove' }>[];
}

/** Stopped on the way to something that did not come about. */
function interrupted({ journal, plan, world }: Performing): ContainerRecord[] {
  if (plan.action === 'down' || plan.action === 'stop') return [];
  const replaced = new Set(
    plan.operations.flatMap((one) => (one.kind === 'container.create' && one.replaces ? [one.replaces.id] : [])),
  );
  const removed = new Set(plan.operations.flatMap((one) => (one.kind === 'container.remove' ? [one.record.id] : [])));
  const startedNames = new Set([...journal.started].map((id) => world.containers.get(id)?.name));
  return journal.stopped.filter(
    (record) =>
      world.containers.has(record.id) &&
      // What it had on a network that was made anew fits no more: the next up replaces it.
      !record.endpoints.some(({ networkName }) => journal.networksRemoved.has(networkName)) &&
      (replaced.has(record.id) || !removed.has(record.id)) &&
      !startedNames.has(record.name),
  );
}
