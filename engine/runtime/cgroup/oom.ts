/** Whether the kernel killed for want of memory, and where. Source: admin-guide/cgroup-v2 "memory.events", cgroup-v1/memory. */
import { existsSync } from 'node:fs';
import { read } from './files.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';

export interface OomEvents {
  /** Processes killed in the container's cgroup and below it, whosever limit was reached. */
  kills: number;
  /** Those killed because the container's own limit, or one below it, was reached; v1 cannot tell and says `kills`. */
  ownKills: number;
}

/** How often the kernel killed a process of the container for want of memory. */
export function oomKills(path: string, all: Hierarchies = hierarchies()): number {
  return oomEvents(path, all).kills;
}

/** Zeroes where the cgroup is gone or no hierarchy counts memory. */
export function oomEvents(path: string, all: Hierarchies = hierarchies()): OomEvents {
  const v1 = v1Directory(all, 'memory', path);
  if (v1) {
    const kills = count(`${v1}/memory.oom_control`, 'oom_kill');
    return { kills, ownKills: kills };
  }
  const file = all.v2 && `${all.v2.path}${path}/memory.events`;
  if (!file || !existsSync(file)) return { kills: 0, ownKills: 0 };
  const kills = count(file, 'oom_kill');
  // `oom` counts the times that a limit here or below could not be kept; a kill without one came from above.
  return { kills, ownKills: count(file, 'oom') > 0 ? kills : 0 };
}

const count = (file: string, key: string): number =>
  Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(read(file))?.[1] ?? 0);
