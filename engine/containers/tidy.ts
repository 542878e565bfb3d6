/** Directories that stay behind the last container of a stack, and of the machine. */
import { rmdirSync } from 'node:fs';
import { cgroupParent, type Host } from '../host.ts';
import { hierarchies, removeStackCgroups } from '../runtime/cgroup/cgroup.ts';
import { monitorCgroups } from './monitor.ts';

/** Removes what is empty of them; whatever is still in use stays. */
export function tidyStack(host: Host, stack: string): void {
  const parent = cgroupParent(host);
  removeStackCgroups(stack, parent);
  for (const directory of [...monitorCgroups(hierarchies(), parent), host.layout.stackDir(stack)]) {
    try {
      rmdirSync(directory);
    } catch {
      // Still in use, or gone.
    }
  }
}
