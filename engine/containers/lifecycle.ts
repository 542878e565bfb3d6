/** A container's life seen from outside: its shim is asked, and told; where the shim is gone, the kernel is. */
import { rm } from 'node:fs/promises';
import type { ContainerRecord, ContainerStatus, ExitStatus } from '../../schemas/container.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import { killCgroup, removeCgroups, removeStackCgroups } from '../runtime/cgroup/cgroup.ts';
import { Connection, frame, isGone, numbers, readFailure } from '../runtime/control.ts';
import { parseStatus, readStatus, shimGone } from '../runtime/status.ts';
import { releaseCategories } from '../security/security.ts';
import { unlimit } from '../state/quota.ts';
import { chosenParent, containerCgroupsPath, parentOf } from './cgroup.ts';
import { degraded, notRunning, stepError } from './failure.ts';
import { thaw } from './pause.ts';
import { removeSharedMemory } from './shared-memory.ts';

const sigkill = 9;
/** How long a shim may take for what needs no waiting, before it is taken for stuck. */
const patienceMs = 5_000;

export const statusOf = (host: Host, record: ContainerRecord): ContainerStatus =>
  readStatus(host.kernel, host.layout.containerRun(record.id));

/** What the shim could not do as asked while setting up. */
export function warningsOf(host: Host, record: ContainerRecord): StackError[] {
  const { warnings } = readStatus(host.kernel, host.layout.containerRun(record.id));
  return warnings.map((warning) => degraded(record, warning));
}

const exitOf = (status: ContainerStatus): ExitStatus => ({
  exitCode: status.exitCode,
  isOomKilled: status.isOomKilled,
});

const connect = (host: Host, record: ContainerRecord) =>
  Connection.open(host.kernel, host.layout.containerRun(record.id), record.name);

/** Lets the waiting process go on to its exec; a failure names the step. */
export async function start(host: Host, record: ContainerRecord): Promise<void> {
  const connection = connect(host, record);
  try {
    const answer = await connection.ask(frame.start);
    if (answer.type === frame.error) throw stepError(record, readFailure(answer.body));
  } finally {
    connection.close();
  }
}

/** @param signal 0: the container's own stop signal. @param timeoutMs absent: its own grace period. */
export async function stop(
  host: Host,
  record: ContainerRecord,
  { signal = 0, timeoutMs = -1 }: { signal?: number; timeoutMs?: number } = {},
): Promise<ExitStatus> {
  let connection: Connection;
  try {
    connection = connect(host, record);
  } catch (error) {
    if (!isGone(error)) throw error;
    return exitOf(statusOf(host, record));
  }
  try {
    const answer = await connection.ask(frame.stop, numbers({ u32: signal }, { i64: timeoutMs }));
    if (answer.type === frame.error) throw stepError(record, readFailure(answer.body));
    await connection.ended(); // only then may another shim take its place
    await shimGone(host.kernel, host.layout.containerRun(record.id));
    // Without a pid namespace of its own nothing takes the rest of its processes along.
    if (record.config.pid) killCgroup(containerCgroupsPath(host, record));
  } catch (error) {
    if (!isGone(error)) throw error;
  } finally {
    connection.close();
  }
  return exitOf(statusOf(host, record));
}

export async function kill(host: Host, record: ContainerRecord, signal: number): Promise<void> {
  try {
    const connection = connect(host, record);
    await connection.ask(frame.kill, numbers({ u32: signal })).finally(() => connection.close());
  } catch (error) {
    if (!isGone(error)) throw error;
    throw notRunning(record);
  }
}

/** Ends whatever still carries the container's id: by its shim, and without one by its cgroup. */
export async function end(host: Host, record: ContainerRecord): Promise<void> {
  const { shimPid } = statusOf(host, record);
  const late = new Promise<'late'>((resolve) => setTimeout(resolve, patienceMs, 'late').unref());
  const stopped = stop(host, record, { signal: sigkill, timeoutMs: 0 });
  thaw(host, record);
  if ((await Promise.race([stopped, late])) === 'late' && shimPid > 0) {
    try {
      process.kill(shimPid, 'SIGKILL');
    } catch {
      // It ended at last.
    }
  }
  killCgroup(containerCgroupsPath(host, record));
}

/** Removes cgroups, run directory and, last, the directory with the record: until then it can be found by it. */
export async function discard(host: Host, record: ContainerRecord): Promise<void> {
  await removeCgroups(containerCgroupsPath(host, record));
  // Nobody else looks below a parent that the service chose, which is its owner's.
  if (record.config.cgroup_parent) removeStackCgroups(record.stack, parentOf(host, record), chosenParent(record));
  removeSharedMemory(host, record);
  await rm(host.layout.containerRun(record.id), { recursive: true, force: true });
  releaseCategories(host.layout.labels, record.stack, record.id);
  await rm(host.layout.containerDir(record.stack, record.id), { recursive: true, force: true });
  if (record.config.storage_opt?.size) unlimit(host.kernel.filesystem, host.layout.stacks, record.id);
}

/** Every change of status, first the present one; the last one when the shim is done. */
export function watch(host: Host, record: ContainerRecord, onChange: (status: ContainerStatus) => void): Disposable {
  let connection: Connection | undefined;
  let isOver = false;
  const last = () => {
    if (!isOver) onChange(statusOf(host, record));
  };
  try {
    connection = connect(host, record);
    connection.listen(({ type, body }) => {
      if (type === frame.status && !isOver) onChange(parseStatus(body.toString('utf8')));
    }, last);
    connection.send(frame.subscribe);
  } catch (error) {
    if (!isGone(error)) throw error;
    queueMicrotask(last);
  }
  return {
    [Symbol.dispose]() {
      isOver = true;
      connection?.close();
    },
  };
}

/** Resolves when the container is over: exited and not about to be restarted. */
export function wait(host: Host, record: ContainerRecord): Promise<ExitStatus> {
  return new Promise((resolve) => {
    const watching = watch(host, record, (status) => {
      const isOver =
        status.state === 'exited' || status.state === 'dead' || (status.state === 'created' && status.failure);
      if (!isOver) return;
      queueMicrotask(() => watching[Symbol.dispose]());
      resolve(exitOf(status));
    });
  });
}
