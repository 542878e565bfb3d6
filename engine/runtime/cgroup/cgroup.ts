/** The cgroups of containers: made, asked, found again. One directory per container and hierarchy. */
import type { ProcessVerbs } from '../../../schemas/kernel.ts';
import { attachFilter } from './device-attach.ts';
import { children, errnoOf, failed, makeDirectory, tryRmdir, writeAll } from './files.ts';
import { type Hierarchies, hierarchies } from './hierarchies.ts';
import type { CgroupPlan } from './plan.ts';
import { directoriesOf } from './processes.ts';

export { delegateCgroup } from './delegate.ts';
export { freezeCgroups, isFrozen, releaseToDie } from './freezer.ts';
export { type Hierarchies, hierarchies } from './hierarchies.ts';
export { type KillOptions, killCgroup } from './kill.ts';
export { oomEvents, oomKills } from './oom.ts';
export { type CgroupManager, resolveCgroupsPath } from './path.ts';
export { type CgroupPlan, cgroupPlan } from './plan.ts';
export { cgroupProcesses } from './processes.ts';
export { removeCgroups } from './remove.ts';
export { cgroupStats } from './stats.ts';
export { updateCgroups } from './update.ts';
export { refuseOccupied } from './vacant.ts';

/** `linux.cgroupsPath` of a container: the stack's and the container's identity in the kernel's own tree. */
export function cgroupsPath(stack: string, id: string, parent: string): string {
  return `${stackCgroup(stack, parent)}/${id}`;
}

function stackCgroup(stack: string, parent: string): string {
  return `/${`${parent}/${stack}`.split('/').filter(Boolean).join('/')}`;
}

/**
 * Makes the directories and writes the limits. What already exists is used as it is.
 * @throws host.kernel-feature for a limit whose file this kernel lacks, host.cgroup for one it refuses: property, file
 * and what was written.
 */
export function makeCgroups(
  plan: CgroupPlan,
  verbs: Pick<ProcessVerbs, 'loadDeviceFilter' | 'attachDeviceFilter'>,
): void {
  for (const directory of plan.directories) {
    for (let tries = 1; ; tries++) {
      try {
        makeDirectory(directory);
        break;
      } catch (thrown) {
        if (errnoOf(thrown) !== 'ENOENT' || tries > 3) throw failed(thrown, `mkdir ${directory}`);
        // Again where a parent goes between the two: another stack's `down` removes it while it is empty.
        prepareParents(plan);
      }
    }
  }
  // A parent made by another command that has not prepared it yet: prepare it, once more.
  writeAll(plan.writes, () => prepareParents(plan));
  if (plan.deviceFilter && plan.unified) attachFilter(plan.unified, plan.deviceFilter, verbs);
}

function prepareParents(plan: CgroupPlan): void {
  for (const { path, writes } of plan.parents) {
    try {
      makeDirectory(path);
    } catch (thrown) {
      throw failed(thrown, `mkdir ${path}`);
    }
    writeAll(writes);
  }
}

/** Removes the stack's own directories, and the parent up to `top`, where nothing is left in them. */
export function removeStackCgroups(stack: string, parent: string, top = '', all: Hierarchies = hierarchies()): void {
  for (let path = stackCgroup(stack, parent); path !== top; path = path.slice(0, path.lastIndexOf('/'))) {
    for (const directory of directoriesOf(path, all)) tryRmdir(directory);
  }
}

/** Ids of the containers that have a cgroup below the stack's, in any hierarchy. */
export function containerCgroups(stack: string, parent: string, all: Hierarchies = hierarchies()): string[] {
  return [...new Set(directoriesOf(stackCgroup(stack, parent), all).flatMap(children))].sort();
}
