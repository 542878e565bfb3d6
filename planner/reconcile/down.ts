/** Operations of `down` and `stop`: dependents first, then what they leaned on. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../../schemas/snapshot.ts';
import { edges, graph } from '../graph.ts';
import { type Builder, isUp } from './builder.ts';
import type { ReconcileOptions } from './options.ts';
import { isOrphan } from './orphans.ts';
import type { Selection } from './selection.ts';

export interface Ending {
  project: Project;
  snapshot: Snapshot;
  options: ReconcileOptions;
  selection: Selection;
}

export function planDown(ending: Ending, plan: Builder, warnings: string[]): void {
  const { snapshot, options, selection } = ending;
  const ends = (container: ObservedContainer) =>
    isOrphan(container, ending.project, options)
      ? options.removeOrphans === true && !selection.isPartial
      : selection.active.has(container.record.service);
  const going = snapshot.containers.filter(ends);
  const cause = 'stack down';
  const removals = addRemovals(ending, plan, going, cause);
  if (selection.isPartial) return;
  const staying = snapshot.containers.filter((container) => !removals.has(container.record));
  const networkUsers = users(going, ({ endpoints }) => endpoints.map(({ networkName }) => networkName));
  for (const { record } of snapshot.networks) {
    if (record.stack !== snapshot.stack || record.config.external) continue;
    const user = staying.find((container) => container.record.endpoints.some((end) => end.networkName === record.name));
    if (user) {
      warnings.push(`Network ${record.name} stays: ${user.record.name} uses it. Add --remove-orphans to remove both.`);
      continue;
    }
    const needs = (networkUsers.get(record.name) ?? []).map((container) => removals.get(container)!);
    plan.add({ kind: 'network.remove', record, cause, needs });
  }
  if (!options.removeVolumes) return;
  const volumeNames = ({ mounts }: ContainerRecord) => mounts.flatMap((m) => (m.type === 'volume' ? [m.name] : []));
  const volumeUsers = users(going, volumeNames);
  const kept = new Set(staying.flatMap(({ record }) => volumeNames(record)));
  for (const record of snapshot.volumes) {
    if (record.stack !== snapshot.stack || record.config.external || isDeclaredExternal(ending.project, record.name)) {
      continue;
    }
    if (kept.has(record.name)) {
      warnings.push(`Volume ${record.name} stays: a container that is not removed uses it.`);
      continue;
    }
    const needs = (volumeUsers.get(record.name) ?? []).map((container) => removals.get(container)!);
    // The anonymous ones of a container that goes, go with it.
    if (record.isAnonymous && needs.length > 0) continue;
    plan.add({ kind: 'volume.remove', record, cause: 'stack down --volumes', needs });
  }
}

/** `stack rm`: networks and volumes stay, and so does what was made by `run`. */
export function planRemove(ending: Ending, plan: Builder): void {
  const { snapshot, options, selection } = ending;
  const going = snapshot.containers.filter((container) => {
    const { service, isOneOff } = container.record;
    return !isOneOff && selection.active.has(service) && (options.containersOnly === 'all' || !isUp(container));
  });
  addRemovals(ending, plan, going, 'stack rm');
}

/** Stops what runs of them, and removes them. */
function addRemovals(
  ending: Ending,
  plan: Builder,
  going: ObservedContainer[],
  cause: string,
): Map<ContainerRecord, string> {
  const stops = addStops(ending, plan, going, cause);
  const removals = new Map<ContainerRecord, string>();
  const remove = (record: ContainerRecord): string => {
    const known = removals.get(record);
    if (known !== undefined) return known;
    removals.set(record, '');
    const stop = stops.get(record);
    // Anonymous volumes go with whom they were made for, and so after those that mount them too.
    const first = borrowers(record, going).map(remove);
    const id = plan.remove(record, cause, [...(stop ? [stop] : []), ...first], ending.options.removeVolumes);
    removals.set(record, id);
    return id;
  };
  for (const { record } of going) remove(record);
  return removals;
}

/** Containers that were made with `volumes_from` this one. */
const borrowers = ({ id }: ContainerRecord, going: ObservedContainer[]): ContainerRecord[] =>
  going
    .filter(({ record }) =>
      Object.entries(record.peers ?? {}).some(([kind, peer]) => kind !== 'ipc' && kind !== 'pid' && peer === id),
    )
    .map(({ record }) => record);

export function planStop(ending: Ending, plan: Builder, cause: string): Map<ContainerRecord, string> {
  const { snapshot, selection } = ending;
  const chosen = snapshot.containers.filter(({ record }) => !record.isOneOff && selection.active.has(record.service));
  return addStops(ending, plan, chosen, cause);
}

/** Nobody knows any more what made it: the stack file says that it is another's. */
const isDeclaredExternal = (project: Project, name: string) =>
  Object.values(project.volumes).some((volume) => volume.external === true && volume.name === name);

function users(containers: ObservedContainer[], names: (record: ContainerRecord) => string[]) {
  const found = new Map<string, ContainerRecord[]>();
  for (const { record } of containers) {
    for (const name of names(record)) {
      const list = found.get(name);
      if (list) list.push(record);
      else found.set(name, [record]);
    }
  }
  return found;
}

/** A container is stopped after those that depend on it. Orphans have the dependencies they were made with. */
function addStops({ project, snapshot }: Ending, plan: Builder, going: ObservedContainer[], cause: string) {
  const order = stopOrder(project, snapshot);
  const byService = new Map<string, ObservedContainer[]>();
  for (const container of going) {
    const list = byService.get(container.record.service);
    if (list) list.push(container);
    else byService.set(container.record.service, [container]);
  }
  const stops = new Map<ContainerRecord, string>();
  for (const { service, dependents } of order) {
    const before = dependents
      .flatMap((name) => byService.get(name) ?? [])
      .flatMap(({ record }) => stops.get(record) ?? []);
    for (const container of byService.get(service) ?? []) {
      const id = plan.stop(container, cause, before);
      if (id) stops.set(container.record, id);
    }
  }
  return stops;
}

function stopOrder(project: Project, snapshot: Snapshot): { service: string; dependents: string[] }[] {
  const recorded: Record<string, Service> = {};
  for (const { record } of snapshot.containers) {
    if (!Object.hasOwn(project.services, record.service)) recorded[record.service] = record.config;
  }
  let built: ReturnType<typeof graph>;
  try {
    built = graph({ ...project, services: { ...recorded, ...project.services } });
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    // Orphans of different ages may depend on each other in a circle: then only the stack file's own order counts.
    const loose = Object.fromEntries(
      Object.entries(recorded).map(([name, config]) => [
        name,
        {
          ...config,
          network_mode: '',
          ipc: '',
          pid: '',
          volumes_from: [],
          depends_on: Object.fromEntries(
            edges(config)
              .filter(({ to }) => Object.hasOwn(project.services, to))
              .map((edge) => [edge.to, edge]),
          ),
        },
      ]),
    );
    built = graph({ ...project, services: { ...loose, ...project.services } });
  }
  return built.order.toReversed().map((service) => ({ service, dependents: built.dependents.get(service) ?? [] }));
}
