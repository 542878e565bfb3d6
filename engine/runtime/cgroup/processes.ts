/** The processes of a container's cgroup, and the directories they are in. */
import { StackError } from '../../../schemas/errors.ts';
import { children, read } from './files.ts';
import { type Hierarchies, hierarchies, v1Directory } from './hierarchies.ts';

/**
 * The container's own directory in each hierarchy of the machine.
 * @throws internal for the top itself: to empty that is to kill everything that runs.
 */
export function directoriesOf(path: string, all: Hierarchies): string[] {
  refuseTop(path);
  return [...all.v1, ...(all.v2 ? [all.v2] : [])].map((one) => one.path + path);
}

function refuseTop(path: string): void {
  if (/^\/[^/]/.test(path) && !path.split('/').includes('..')) return;
  throw new StackError('internal', {
    message: `"${path}" is not the path of a container's cgroup`,
    operation: 'cgroup',
  });
}

/** Pids of every process in the container's cgroup and below it. */
export function cgroupProcesses(path: string, all: Hierarchies = hierarchies()): number[] {
  refuseTop(path);
  const top = whole(path, all);
  return top ? processesBelow(top) : [];
}

/** Pids in the directory and everything below it, each once. */
export function processesBelow(directory: string): number[] {
  const below = (at: string): number[] => [
    ...read(`${at}/cgroup.procs`).split('\n').filter(Boolean).map(Number),
    ...children(at).flatMap((name) => below(`${at}/${name}`)),
  ];
  // 0 is a process of another pid namespace: not ours to signal, and kill(2) takes it for the caller's own group.
  return [...new Set(below(directory))].filter((pid) => pid > 0);
}

/** The directory to look for processes in: every process of a container is in each of its hierarchies. */
function whole(path: string, all: Hierarchies): string | null {
  return v1Directory(all, 'pids', path) ?? ((all.v1[0] ?? all.v2) ? (all.v1[0] ?? all.v2)!.path + path : null);
}
