/** Limits of a running container changed. Source: runtime-spec config-linux.md; what runc's `update` does. */
import { existsSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { MemoryResources, Resources } from '../../../schemas/oci-runtime.ts';
import { runtimeDeviceRules } from '../devices.ts';
import { attachFilter, type DeviceVerbs } from './device-attach.ts';
import { deviceFilter } from './device-filter.ts';
import { deviceChange, deviceList } from './device-list.ts';
import { read, type Write, writeAll } from './files.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';
import { ancestors, enabling, v2Controllers } from './plan.ts';
import { directoriesOf } from './processes.ts';
import { refuseUnkeepable } from './requirements.ts';
import { v1Writes } from './v1.ts';
import { v2Writes } from './v2.ts';

/**
 * Gives a running container other limits; what `resources` does not name stays as it is. Memory that becomes unlimited
 * takes swap along where swap is not named. Device rules take the place of those in force as a whole.
 * @param verbs the kernel's, for device rules in v2.
 * @throws host.kernel-feature for a limit this machine cannot keep, before anything is written; host.cgroup where the
 * kernel refuses one (lines before it are in force then) or the container has no cgroup any more.
 */
export function updateCgroups(
  path: string,
  resources: Resources,
  all: Hierarchies | undefined = hierarchies(),
  verbs: DeviceVerbs,
): void {
  refuseUnkeepable(resources, all);
  if (!directoriesOf(path, all).some(existsSync)) throw gone(path);
  const changed = { ...resources, ...(resources.memory ? { memory: withSwap(resources.memory) } : {}) };
  refuseBelowUsage(changed.memory, path, all);
  const { devices, ...limits } = changed;
  const writes: Write[] = [];
  for (const { path: top, controllers } of all.v1) {
    writes.push(...v1Writes(limits, controllers, top + path));
    if (devices && controllers.includes('devices')) writes.push(...deviceWrites(devices, top + path));
  }
  if (all.v2) {
    const top = all.v2.path;
    const enabled = v2Controllers(limits, all.v2.controllers);
    for (const parent of ['', ...ancestors(path)]) writeAll(enabling(top + parent, enabled));
    writes.push(...v2Writes(limits, enabled, top + path, (file) => read(`${top}${path}/${file}`)));
  }
  writeAll(writes);
  if (devices && all.v2 && !v1Directory(all, 'devices', path)) {
    attachFilter(all.v2.path + path, deviceFilter([...devices, ...runtimeDeviceRules]), verbs, true);
  }
}

/** runc: no limit of memory means no limit of swap, unless that is said. */
const withSwap = (memory: MemoryResources): MemoryResources =>
  memory.limit !== undefined && memory.limit < 0 && !memory.swap ? { ...memory, swap: -1 } : memory;

function deviceWrites(rules: NonNullable<Resources['devices']>, directory: string): Write[] {
  const lines = deviceChange(read(`${directory}/devices.list`), deviceList(rules, runtimeDeviceRules));
  return lines.map(({ file, value }) => ({ file: `${directory}/${file}`, value, property: 'devices' }));
}

/** v1 refuses a limit below what is used; v2 would kill, unless it is asked to do as v1. */
function refuseBelowUsage(memory: MemoryResources | undefined, path: string, all: Hierarchies): void {
  if (!memory?.checkBeforeUpdate || !all.v2 || v1Directory(all, 'memory', path)) return;
  const directory = all.v2.path + path;
  const used = Number(read(`${directory}/memory.current`));
  const swapped = Number(read(`${directory}/memory.swap.current`));
  const refuse = (property: string, limit: number | bigint, usage: number) => {
    throw new StackError('host.cgroup', {
      message: `linux.resources.${property}: the container uses ${usage} bytes, and the new limit is ${limit}`,
      hint: 'Choose a higher limit, or leave out checkBeforeUpdate: processes are killed then until the rest fits.',
      resource: `linux.resources.${property}`,
      operation: 'update',
      errno: 'EBUSY',
    });
  };
  if (memory.limit && memory.limit > 0 && memory.limit <= used) refuse('memory.limit', memory.limit, used);
  if (memory.swap && memory.swap > 0 && memory.swap <= used + swapped) {
    refuse('memory.swap', memory.swap, used + swapped);
  }
}

function gone(path: string): StackError {
  return new StackError('host.cgroup', {
    message: `the container has no cgroup ${path} any more`,
    hint: 'Limits can be changed while the container exists; ask for its state.',
    operation: 'update',
    errno: 'ENOENT',
  });
}
