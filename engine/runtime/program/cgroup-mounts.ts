/** The machine's cgroup hierarchies as a container shall see them below /sys/fs/cgroup. */
import { basename } from 'node:path';
import type { Hierarchies } from '../cgroup/cgroup.ts';
import type { CgroupMount } from './mounts.ts';

/** @param path `linux.cgroupsPath` of the container, absolute below the top of each hierarchy. */
export function cgroupMounts(all: Hierarchies, path: string): CgroupMount[] {
  if (all.mode === 'unified') return [{ directory: '', type: 'cgroup2', data: '', source: all.v2!.path + path }];
  const mounts: CgroupMount[] = all.v1.map(({ path: top, controllers }) => {
    const named = controllers.find((controller) => controller.startsWith('name='));
    const data = named ? `none,${named}` : controllers.join();
    return { directory: basename(top), type: 'cgroup', data, source: top + path };
  });
  if (all.v2) mounts.push({ directory: basename(all.v2.path), type: 'cgroup2', data: '', source: all.v2.path + path });
  return mounts;
}
