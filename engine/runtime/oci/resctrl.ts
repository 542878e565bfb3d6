/** linux.intelRdt: a group of the resctrl file system. Source: runtime-spec config-linux.md "IntelRdt", the kernel's filesystems/resctrl. */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { IntelRdt } from '../../../schemas/oci-runtime.ts';

const top = '/sys/fs/resctrl';

/**
 * Makes or finds the group, and tells it its schemata. Gives the directory where it is to go with the container: one that
 * was there before, or is named for several, stays.
 * @throws host.kernel-feature where the machine has no resctrl, and where it refuses the schemata; then it has no more groups
 * than before.
 */
export function applyResctrl(id: string, rdt: IntelRdt | undefined, root = top): string | undefined {
  if (!rdt) return undefined;
  if (!existsSync(join(root, 'schemata'))) {
    throw new StackError('host.kernel-feature', {
      message: `Intel RDT is asked for (linux.intelRdt), and no resctrl file system is mounted at ${root}.`,
      hint: 'It needs a processor with Intel RDT and `mount -t resctrl resctrl /sys/fs/resctrl`; or remove linux.intelRdt.',
      operation: 'resctrl',
    });
  }
  const directory = join(root, rdt.closID ?? id);
  const isOld = existsSync(directory);
  const lines = [...(rdt.schemata ?? []), rdt.l3CacheSchema, rdt.memBwSchema].filter((line) => line !== undefined);
  if (isOld && lines.length === 0) return undefined;
  try {
    if (!isOld) mkdirSync(directory);
    for (const line of lines) writeFileSync(join(directory, 'schemata'), `${line}\n`);
  } catch (cause) {
    if (!isOld && existsSync(directory)) rmdirSync(directory);
    throw new StackError('host.kernel-feature', {
      message: `resctrl refused ${lines.join(', ') || directory}: ${(cause as NodeJS.ErrnoException).code}.`,
      hint: 'Compare linux.intelRdt with /sys/fs/resctrl/info.',
      operation: 'resctrl',
      cause,
    });
  }
  return isOld || rdt.closID ? undefined : directory;
}

/** The process must be in the group before it forks. */
export function joinResctrl(pid: number, id: string, rdt: IntelRdt | undefined, root = top): void {
  if (rdt) writeFileSync(join(root, rdt.closID ?? id, 'tasks'), String(pid));
}

/**
 * Changes the schemata of a container that runs; one that had no group gets it, with every process it has. Gives the group
 * where it is new and goes with the container. @throws host.kernel-feature
 */
export function updateResctrl(
  id: string,
  rdt: IntelRdt,
  changed: Pick<IntelRdt, 'l3CacheSchema' | 'memBwSchema'>,
  pids: number[],
  root = top,
): string | undefined {
  const isNew = !existsSync(join(root, rdt.closID ?? id));
  const made = applyResctrl(id, { ...(rdt.closID ? { closID: rdt.closID } : {}), ...changed }, root);
  // The kernel takes threads here (filesystems/resctrl, "tasks"), and one may end meanwhile.
  for (const thread of isNew ? pids.flatMap(threadsOf) : []) {
    try {
      joinResctrl(thread, id, rdt, root);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
    }
  }
  return made;
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

export function removeResctrl(directory: string | undefined): void {
  if (directory && existsSync(directory)) rmdirSync(directory);
}
