/** The root of a running container as its own mount namespace shows it. */
import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import { pidOf } from '../containers/peers.ts';
import type { Host } from '../host.ts';

const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/**
 * A descriptor of /proc/<pid>/root (proc_pid_root(5)); undefined where the container does not run. The pid may have become
 * another process's since the monitor wrote it down: it is held by a pidfd, looked at, and asked for once more, so that
 * nothing is ever written into a root that is not the container's.
 */
export function openContainerRoot(host: Host, record: ContainerRecord): Fd | undefined {
  const { process: verbs } = host.kernel;
  const pid = pidOf(host, record);
  if (pid <= 0) return undefined;
  let pidfd: Fd | undefined;
  let root: Fd | undefined;
  try {
    pidfd = verbs.pidfdOpen(pid);
    root = openSync(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
    const isOurs = pidOf(host, record) === pid && isInside(record, pid);
    verbs.pidfdSignal(pidfd, 0);
    if (isOurs) return root;
  } catch {
    // It ended meanwhile.
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
  if (root !== undefined) closeSync(root);
  return undefined;
}

/** Whether the container still runs with this root. */
export function isContainerRoot(host: Host, record: ContainerRecord, root: Fd): boolean {
  const now = openContainerRoot(host, record);
  if (now === undefined) return false;
  try {
    // An overlay has a device of its own for each mount.
    return fstatSync(now).dev === fstatSync(root).dev;
  } finally {
    closeSync(now);
  }
}

/** In a mount namespace that is not ours and in the container's cgroup, whose path has its id. */
function isInside(record: ContainerRecord, pid: number): boolean {
  if (readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt')) return false;
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(record.id);
}
