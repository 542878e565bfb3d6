/** Memory of processes as the kernel counts it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Held {
  processes: number;
  /** Sums in KiB. Rss counts a shared page once for each process, Pss shares it out among all who map it. */
  rss: number;
  pss: number;
}

export interface Process {
  pid: number;
  /** As the kernel cuts it: 15 bytes. */
  name: string;
}

/** Every process this one can see; those that end while we look are left out. */
export function processes(): Process[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return [{ pid: Number(entry), name: readFileSync(`/proc/${entry}/comm`, 'utf8').trim() }];
    } catch {
      return [];
    }
  });
}

/** Identity of a process's namespace, or undefined where it has ended. */
export function namespaceOf(pid: number, kind: 'mnt' | 'pid'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** Sums proc_pid_smaps_rollup(5) of the processes chosen. */
export function held(isCounted: (process: Process) => boolean): Held {
  const sum: Held = { processes: 0, rss: 0, pss: 0 };
  for (const process of processes().filter(isCounted)) {
    try {
      const text = readFileSync(`/proc/${process.pid}/smaps_rollup`, 'utf8');
      const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
      sum.processes++;
      sum.rss += field('Rss');
      sum.pss += field('Pss');
    } catch {
      // Ended meanwhile.
    }
  }
  return sum;
}
