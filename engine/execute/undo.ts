/** Takes back what a failed run made and did not finish. What runs keeps running, unless an image could not be had. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { asStackError, type StackError } from '../../schemas/errors.ts';
import type { OperationKind } from '../../schemas/plan.ts';
import type { Performing } from './perform.ts';

/**
 * Containers made and never started are removed (all that were made, where `isWhole`: then the run changes nothing), those stopped only to be replaced or restarted are started again;
 * then networks and volumes made in this run that nothing uses. Answers what went wrong: it never hides the failure.
 */
export async function undo(run: Performing, isWhole: boolean): Promise<StackError[]> {
  const { journal, effects, world } = run;
  const errors: StackError[] = [];
  const attempt = async (kind: OperationKind, resource: string, work: () => Promise<unknown>) => {
    try {
      await work();
      run.emit({ type: 'undone', id: `undo ${kind} ${resource}`, kind, resource });
    } catch (thrown) {
      errors.push(asStackError(thrown, 'internal', { resource, operation: 'undo' }));
    }
  };
  await Promise.all(
    unfinished(run, isWhole).map(({ record, operation }) =>
      attempt('container.create', `container ${record.name}`, async () => {
        // Volumes handed on belong to the container it was to replace.
        await effects.containers.remove(record, { removeAnonymousVolumes: operation.replaces === undefined });
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
  return errors;
}

const joins = (record: ContainerRecord, name: string) => record.endpoints.some((one) => one.networkName === name);
const mounts = (record: ContainerRecord, name: string) =>
  record.mounts.some((mount) => mount.type === 'volume' && mount.name === name);

/** Made to be started, and not started. One whose predecessor is gone already stays: it is all there is. */
function unfinished({ journal, plan }: Performing, isWhole: boolean): Performing['journal']['created'] {
  if (isWhole) return journal.created;
  const toStart = new Set(plan.operations.flatMap((one) => (one.kind === 'container.start' ? [one.name] : [])));
  return journal.created.filter(
    ({ record, operation }) =>
      toStart.has(record.name) &&
      !journal.started.has(record.id) &&
      !(operation.replaces && journal.removed.has(operation.replaces.id)),
  );
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
