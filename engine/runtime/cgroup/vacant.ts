/** A cgroup that somebody uses already is no container's to be: what ends the container would end them, too. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import { children, read } from './files.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';
import { directoriesOf, processesBelow } from './processes.ts';

/**
 * Asked before a container's first process is born, as runc has it. An empty cgroup may be there.
 * @throws host.cgroup where there are processes in it or below it, in any hierarchy, and where it is frozen: the process
 * would stop before it is set up.
 */
export function refuseOccupied(path: string, all: Hierarchies = hierarchies()): void {
  for (const directory of directoriesOf(path, all)) {
    if (!existsSync(directory) || !isPopulated(directory)) continue;
    const pids = processesBelow(directory).slice(0, 10).join(' ');
    throw new StackError('host.cgroup', {
      message: `container's cgroup is not empty: ${directory} has processes${pids ? ` (${pids})` : ''}.`,
      hint: 'Give each container a linux.cgroupsPath of its own, or end what runs there.',
      resource: 'linux.cgroupsPath',
      operation: 'cgroup',
      errno: 'EBUSY',
    });
  }
  const frozen = frozenAbove(path, all);
  if (!frozen) return;
  throw new StackError('host.cgroup', {
    message: `container's cgroup unexpectedly frozen: ${frozen} stops every process in it.`,
    hint: 'Thaw it (freezer.state of cgroup v1, cgroup.freeze of v2), or give the container another linux.cgroupsPath.',
    resource: 'linux.cgroupsPath',
    operation: 'cgroup',
    errno: 'EBUSY',
  });
}

/** Read as text: processes of another pid namespace have the number 0, a threaded cgroup does not tell its own. */
function isPopulated(directory: string): boolean {
  const events = read(`${directory}/cgroup.events`);
  if (events) return /^populated 1$/m.test(events);
  if (read(`${directory}/cgroup.procs`).trim() !== '') return true;
  return children(directory).some((name) => isPopulated(`${directory}/${name}`));
}

/** The directory that is frozen: the cgroup's own, or one above it. */
function frozenAbove(path: string, all: Hierarchies): string | undefined {
  const v2 = all.v2 && all.v2.path + path;
  for (const [directory, top] of [
    [v1Directory(all, 'freezer', path), v1Directory(all, 'freezer', '')],
    [v2, all.v2?.path],
  ]) {
    if (!directory || !top) continue;
    for (let at = directory; at.length > top.length; at = dirname(at)) {
      const state = read(`${at}/freezer.state`).trim() || read(`${at}/cgroup.freeze`).trim();
      if (state !== '' && state !== 'THAWED' && state !== '0') return at;
    }
  }
  return undefined;
}
