/** Cgroups taken away: a container's with everything it made below, a stack's once they are empty. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../../../schemas/errors.ts';
import { children, tryRmdir } from './files.ts';
import { releaseToDie } from './freezer.ts';
import { type Hierarchies, hierarchies } from './hierarchies.ts';
import { killCgroup } from './kill.ts';
import { directoriesOf, processesBelow } from './processes.ts';

/**
 * Removes a container's cgroups and whatever it made below them. What still runs in them is killed, frozen or not, and
 * waited for: some 4 s at most. @throws host.cgroup where one stays busy.
 */
export async function removeCgroups(path: string, all: Hierarchies = hierarchies()): Promise<void> {
  const left = new Set(directoriesOf(path, all));
  for (let waitMs = 1; waitMs < 4000; waitMs *= 2) {
    for (const directory of left) if (removeTree(directory)) left.delete(directory);
    if (left.size === 0) return;
    killCgroup(path, all);
    // Processes that the container moved within one hierarchy alone keep that one's directory.
    for (const pid of new Set([...left].flatMap(processesBelow))) {
      tryKill(pid);
      releaseToDie(pid, path, all);
    }
    await sleep(waitMs);
  }
  throw new StackError('host.cgroup', {
    message: `the cgroup ${[...left][0]} still has processes: ${[...left].flatMap(processesBelow).join(' ')}`,
    hint: 'A process in uninterruptible sleep cannot be killed; remove the container again once it is gone.',
    operation: 'rmdir',
    errno: 'EBUSY',
  });
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself.
  }
}

/** False where something in it is still busy. Deepest first: a cgroup with children cannot be removed. */
function removeTree(directory: string): boolean {
  if (tryRmdir(directory)) return true;
  for (const name of children(directory)) removeTree(`${directory}/${name}`);
  return tryRmdir(directory);
}
