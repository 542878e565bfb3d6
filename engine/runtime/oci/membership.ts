/** The cgroups that a process of `exec` joins: the container's own, or asked for below them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import { type Hierarchies, type Hierarchy, hierarchies } from '../cgroup/hierarchies.ts';
import type { Membership } from '../program/process.ts';
import type { ContainerState } from './state.ts';

/**
 * @param asked of `--cgroup`, as runc takes it: one path below the container's cgroups for all hierarchies, or
 * `controller,…:path` for some of those of v1.
 * @throws usage for a path that is not below, or not there; state.status for a container without cgroups.
 */
export function membershipOf(state: ContainerState, asked: string[] = [], all = hierarchies()): Membership {
  if (!state.cgroupsPath) {
    if (asked.length > 0) throw refused(asked[0]!, `the container ${state.id} has no cgroups of its own`);
    return { tasks: [] };
  }
  const wanted = new Map<Hierarchy, string>();
  for (const text of asked) {
    for (const [hierarchy, below] of placesOf(text, asked.length, all)) {
      if (wanted.has(hierarchy)) throw refused(text, 'a hierarchy is named twice');
      wanted.set(hierarchy, directoryOf(text, below, hierarchy, all, state.cgroupsPath));
    }
  }
  const own = (hierarchy: Hierarchy) => hierarchy.path + state.cgroupsPath;
  return {
    tasks: all.v1.map((hierarchy) => `${wanted.get(hierarchy) ?? own(hierarchy)}/tasks`),
    unified: all.v2 ? (wanted.get(all.v2) ?? present(state, own(all.v2), all.v2)) : undefined,
  };
}

function placesOf(text: string, count: number, all: Hierarchies): [Hierarchy, string][] {
  const [, names, below = ''] = /^(?:([^/:]+):)?(.*)$/s.exec(text) ?? [];
  if (names === undefined) {
    if (count > 1) throw refused(text, 'without a controller it is the only one there may be');
    return [...all.v1, ...(all.v2 ? [all.v2] : [])].map((hierarchy) => [hierarchy, below]);
  }
  return names.split(',').map((name) => {
    const hierarchy = all.v1.find(({ controllers }) => controllers.includes(name));
    if (!hierarchy) throw refused(text, `no hierarchy of version 1 has the controller ${name}`);
    return [hierarchy, below];
  });
}

function directoryOf(text: string, below: string, hierarchy: Hierarchy, all: Hierarchies, path: string): string {
  const own = hierarchy.path + path;
  // Also where it leads back: `x/..` says nothing that its absence does not.
  if (below.split('/').includes('..')) throw refused(text, '`..` is not allowed, a way that is not below its own');
  const directory = join(own, below);
  if (existsSync(directory)) return directory;
  // Beside v1 the second version has no limits to be under.
  if (hierarchy === all.v2 && all.mode === 'hybrid') return own;
  throw refused(text, `there is no ${directory}`);
}

/**
 * On v2 the cgroup its first process is in now, where that has moved: a cgroup that has children may hold no processes
 * (cgroups(7), "no internal processes").
 */
function present(state: ContainerState, own: string, { path }: Hierarchy): string {
  const now = /^0::(.*)$/m.exec(readFileSync(`/proc/${state.pid}/cgroup`, 'utf8'))?.[1];
  return now?.startsWith(`${state.cgroupsPath}/`) ? path + now : own;
}

const refused = (text: string, why: string) =>
  new StackError('usage', {
    message: `--cgroup ${text}: ${why}.`,
    hint: 'It is a cgroup that exists below the container’s own: `sub`, or `cpu,memory:sub` on version 1.',
  });
