/** A container that stands still, and goes on: its cgroup is frozen, and its shim knows, so that no probe is held against it. */
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Host } from '../host.ts';
import { askFreezer, freezeCgroups, freezerOf } from '../runtime/cgroup/freezer.ts';
import { hierarchies } from '../runtime/cgroup/hierarchies.ts';
import { Connection, frame, isGone, numbers } from '../runtime/control.ts';
import { containerCgroupsPath } from './cgroup.ts';
import { notRunning } from './failure.ts';

/** What is paused already stays so. @throws runtime.not-running, host.kernel-feature without a freezer, host.cgroup */
export async function pause(host: Host, record: ContainerRecord): Promise<void> {
  const path = containerCgroupsPath(host, record);
  // Before the freezer: killed in between, this leaves a container that runs and is called paused, which unpause mends.
  await tellShim(host, record, true);
  try {
    await freezeCgroups(path, true);
  } catch (error) {
    await tellShim(host, record, false).catch(() => {});
    throw error;
  }
}

/** What is not paused goes on as it does. @throws as pause */
export async function unpause(host: Host, record: ContainerRecord): Promise<void> {
  await freezeCgroups(containerCgroupsPath(host, record), false);
  await tellShim(host, record, false);
}

/** Before it is stopped: on cgroup v1 no signal reaches what is frozen. Nothing where it is not, or is no more. */
export function thaw(host: Host, record: ContainerRecord): void {
  const freezer = freezerOf(containerCgroupsPath(host, record), hierarchies());
  if (freezer?.isAsked()) askFreezer(freezer, false);
}

async function tellShim(host: Host, record: ContainerRecord, isPaused: boolean): Promise<void> {
  try {
    const connection = Connection.open(host.kernel, host.layout.containerRun(record.id), record.name);
    const request = numbers({ u32: isPaused ? 1 : 0 });
    const answer = await connection.ask(frame.pause, request).finally(() => connection.close());
    if (answer.type !== frame.error) return;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  throw notRunning(record);
}
