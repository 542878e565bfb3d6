/** The containers a stack should have, each beside the one it has, and what becomes of it. */
import type { Project, Service } from '../../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { containerName } from './selection.ts';

/**
 * `done`: it ran to its end with exit code 0, as those who wait for it want, and is started again only with one of them.
 */
export type Fate = 'keep' | 'done' | 'create' | 'start' | 'restart' | 'recreate' | 'remove';

export interface Instance {
  service: string;
  number: number;
  name: string;
  config: Service;
  current?: ObservedContainer;
  fate: Fate;
  cause: string;
  /** The old one goes before the new one is made: a volume it holds is deleted in between. */
  isRemovedFirst?: true;
}

/** The containers of `up` by service; those of `run` are not among them. In the snapshot's order. */
export function containersByService(snapshot: Snapshot): Map<string, ObservedContainer[]> {
  const found = new Map<string, ObservedContainer[]>();
  for (const container of snapshot.containers) {
    if (container.record.isOneOff) continue;
    const list = found.get(container.record.service);
    if (list) list.push(container);
    else found.set(container.record.service, [container]);
  }
  return found;
}

/** By service and number, the newest of a number first: the order in which everything else looks at containers. */
export function sorted(snapshot: Snapshot): Snapshot {
  return {
    ...snapshot,
    containers: snapshot.containers.toSorted(
      ({ record: a }, { record: b }) =>
        byName(a.service, b.service) || a.number - b.number || byName(b.createdAt, a.createdAt) || byName(a.id, b.id),
    ),
    networks: snapshot.networks.toSorted((a, b) => byName(a.record.name, b.record.name)),
    volumes: snapshot.volumes.toSorted((a, b) => byName(a.name, b.name)),
    strays: snapshot.strays.toSorted((a, b) => byName(a.kind, b.kind) || byName(a.name, b.name)),
  };
}

/**
 * Matches the containers a service has with the `count` it should have: the lowest numbers are kept, missing ones
 * fill the gaps, the rest goes. Two of one number are what an interrupted replacement leaves: the newer one stays.
 */
export function match(project: Project, service: string, current: ObservedContainer[], count: number): Instance[] {
  const config = project.services[service]!;
  const instances: Instance[] = [];
  const taken = new Set<number>();
  let kept = 0;
  const existing = new Set(current.map(({ record }) => record.number)).size;
  const scaled = `services.${service}.scale: ${existing} → ${count}`;
  for (const observed of current) {
    const { number, name } = observed.record;
    const base = { service, number, config, current: observed };
    if (taken.has(number)) {
      instances.push({ ...base, name, fate: 'remove', cause: 'a newer container took its place' });
    } else if (kept >= count) {
      taken.add(number);
      instances.push({ ...base, name, fate: 'remove', cause: scaled });
    } else {
      kept++;
      taken.add(number);
      const wanted = containerName(project.name, service, number, config);
      instances.push({ ...base, name: wanted, fate: 'keep', cause: '' });
    }
  }
  for (let number = 1; kept < count; number++) {
    if (taken.has(number)) continue;
    kept++;
    const name = containerName(project.name, service, number, config);
    const cause = existing > 0 ? scaled : 'it does not exist yet';
    instances.push({ service, number, name, config, fate: 'create', cause });
  }
  return instances.sort((a, b) => a.number - b.number);
}
