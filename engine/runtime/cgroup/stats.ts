/** What a container uses, in the shape of `runc events --stats`. */
import { existsSync } from 'node:fs';
import type { CgroupStats } from '../../../schemas/cgroup-stats.ts';
import { StackError } from '../../../schemas/errors.ts';
import { nothing } from './figures.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';
import { directoriesOf } from './processes.ts';
import { v1Stats } from './stats-v1.ts';
import { v2Stats } from './stats-v2.ts';

/**
 * Figures of the container's cgroup and all below it, each from the hierarchy that has the controller; zeroes where
 * none has. Numbers beyond Number.MAX_SAFE_INTEGER are bigints: spec-json writes them.
 * @throws host.cgroup where the container has no cgroup any more.
 */
export function cgroupStats(path: string, all: Hierarchies = hierarchies()): CgroupStats {
  if (!directoriesOf(path, all).some(existsSync)) {
    throw new StackError('host.cgroup', {
      message: `the container has no cgroup ${path} any more`,
      hint: 'Only a container that was created and not deleted has figures; ask for its state.',
      operation: 'stats',
      errno: 'ENOENT',
    });
  }
  const stats = nothing();
  // v2 first: a controller is in one version alone, and where v1 has it its figures are the finer ones.
  if (all.v2) Object.assign(stats, v2Stats(all.v2.path + path));
  for (const [controller, fill] of Object.entries(v1Stats)) {
    const directory = v1Directory(all, controller, path);
    if (directory) fill(directory, stats);
  }
  return stats;
}
