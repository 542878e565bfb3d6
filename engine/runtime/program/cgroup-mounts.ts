/** The machine's cgroup hierarchies as a container shall see them below /sys/fs/cgroup. */
import { basename } from 'node:path';
import type { Hierarchies } from '../cgroup/cgroup.ts';
import type { CgroupMount } from './mounts.ts';

export function cgroupMounts(all: Hierarchies): CgroupMount[] {
  if (all.mode === 'unified') return [{ directory: '', type: 'cgroup2', data: '' }];
  const mounts: CgroupMount[] = all.v1.map(({ path, controllers }) => {
    const named = controllers.find((controller) => controller.startsWith('name='));
    return { directory: basename(path), type: 'cgroup', data: named ? `none,${named}` : controllers.join() };
  });
  if (all.v2) mounts.push({ directory: basename(all.v2.path), type: 'cgroup2', data: '' });
  return mounts;
}
