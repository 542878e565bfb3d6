/** Signals to all of a container at once, without a process born meanwhile getting away. */

import { Writer } from './files.ts';
import { askFreezer, type Freezer, freezerOf } from './freezer.ts';
import { type Hierarchies, hierarchies } from './hierarchies.ts';
import { cgroupProcesses, directoriesOf } from './processes.ts';

export interface KillOptions {
  /** SIGKILL where absent. */
  signal?: NodeJS.Signals | number;
  /**
   * The cgroup goes on being used: nothing is written to cgroup.kill, because Linux ≥ 6.14 kills whatever is cloned
   * into the cgroup after that, too.
   */
  staysInUse?: boolean;
}

/**
 * A signal to everything in the container's cgroup. SIGKILL goes by cgroup.kill (Linux ≥ 5.14), in one step; otherwise
 * the processes are stopped, signalled and let go. SIGKILL thaws a frozen container, so that it can die; after another
 * signal it is as frozen as before. Waits for nobody's end.
 */
export function killCgroup(path: string, all: Hierarchies = hierarchies(), options: KillOptions = {}): void {
  if (directoriesOf(path, all).length === 0) return;
  const { signal = 'SIGKILL', staysInUse = false } = options;
  const isKill = signal === 'SIGKILL' || signal === 9;
  const freezer = freezerOf(path, all);
  if (isKill && !staysInUse && killAtOnce(path, all)) {
    // v1: a frozen process takes no signal.
    if (freezer?.isAsked()) tryAsk(freezer, false);
    return;
  }
  const wasFrozen = freezer?.isAsked() ?? false;
  if (freezer && !wasFrozen) tryAsk(freezer, true);
  try {
    signalAll(path, all, signal, () => freezer === null || freezer.isSettled());
  } finally {
    if (freezer && (isKill || !wasFrozen)) tryAsk(freezer, false);
  }
}

function killAtOnce(path: string, all: Hierarchies): boolean {
  if (!all.v2) return false;
  try {
    using files = new Writer();
    files.write({ file: `${all.v2.path}${path}/cgroup.kill`, value: '1' });
    return true;
  } catch {
    // An older kernel, or a container that never was in the v2 hierarchy.
    return false;
  }
}

/** Some 100 ms at most: what cannot be stopped in that time is signalled as it runs. */
function signalAll(path: string, all: Hierarchies, signal: NodeJS.Signals | number, isSettled: () => boolean): void {
  const told = new Set<number>();
  for (let round = 0; round < 100; round++) {
    // Looked at first: what is listed after all have stopped is everything.
    const isComplete = isSettled();
    const pids = cgroupProcesses(path, all).filter((pid) => !told.has(pid));
    for (const pid of pids) {
      told.add(pid);
      try {
        process.kill(pid, signal);
      } catch {
        // Ended by itself.
      }
    }
    if (pids.length === 0 && isComplete) return;
    if (!isComplete) Atomics.wait(pause, 0, 0, 1);
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function tryAsk(freezer: Freezer, frozen: boolean): void {
  try {
    askFreezer(freezer, frozen);
  } catch {
    // The cgroup goes.
  }
}
