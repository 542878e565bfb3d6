/** A container's v2 cgroup handed to the user its processes run as. Source: runtime-spec config-linux.md "Cgroup ownership", cgroups(7). */
import { chownSync } from 'node:fs';
import { errnoOf, failed, read } from './files.ts';
import { type Hierarchies, hierarchies } from './hierarchies.ts';
import { directoriesOf } from './processes.ts';

/** What is handed over on a kernel that does not say it itself (runtime-spec). */
const usual = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

/**
 * Gives the directory and the files that may be delegated to `uid`, an id of the host; the limits stay root's. For a
 * container with a cgroup namespace of its own and /sys/fs/cgroup mounted writable. v1 hierarchies stay as they are:
 * delegation is not safe there. @throws host.cgroup
 */
export function delegateCgroup(path: string, uid: number, all: Hierarchies = hierarchies()): void {
  directoriesOf(path, all);
  if (!all.v2 || all.mode !== 'unified') return;
  const listed = read('/sys/kernel/cgroup/delegate').split('\n').filter(Boolean);
  for (const name of ['.', ...(listed.length > 0 ? listed : usual)]) {
    const file = `${all.v2.path}${path}/${name}`;
    try {
      chownSync(file, uid, -1);
    } catch (thrown) {
      // Not every cgroup has every file.
      if (name === '.' || errnoOf(thrown) !== 'ENOENT') throw failed(thrown, `chown ${uid} ${file}`);
    }
  }
}
