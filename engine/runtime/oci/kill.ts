/** kill, delete, pause and resume. Source: runtime-spec runtime.md "Kill" and "Delete". */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import { cgroupProcesses, freezeCgroups, killCgroup, removeCgroups, removeStackCgroups } from '../cgroup/cgroup.ts';
import { runtimeParent } from '../cgroup/path.ts';
import type { Runtime } from './create.ts';
import { killProcess, undo } from './destroy.ts';
import { wrongStatus } from './start.ts';
import { type ContainerState, cgroupOf, isAlive } from './state.ts';

/** Name, with or without SIG, or number. @throws usage */
export function signalNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0 && number <= 64) return number;
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const known = (constants.signals as Record<string, number>)[name];
  if (known !== undefined) return known;
  const [, base, offset] = /^SIGRTM(IN|AX)(?:([+-]\d+))?$/.exec(name) ?? [];
  if (base) return (base === 'IN' ? 34 : 64) + Number(offset ?? 0);
  throw new StackError('usage', { message: `"${text}" is no signal.`, hint: 'See signal(7), or `kill -l`.' });
}

/** Whether the process got it: false where it has ended. @throws what else keeps the signal from it */
function signalProcess({ kernel: { process: verbs } }: Runtime, state: ContainerState, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = verbs.pidfdOpen(state.pid);
  } catch (thrown) {
    return hasEnded(thrown, state);
  }
  try {
    // Asked after the descriptor was opened: the number cannot have gone to another process in between.
    if (!isAlive(state)) return false;
    verbs.pidfdSignal(pidfd, signal);
    return true;
  } catch (thrown) {
    return hasEnded(thrown, state);
  } finally {
    closeSync(pidfd);
  }
}

/** ESRCH alone says so: a caller told of an end that is none would forget a container that runs. */
function hasEnded(thrown: unknown, { id, pid }: ContainerState): false {
  const errno = (thrown as NodeJS.ErrnoException).code;
  if (errno === 'ESRCH') return false;
  throw asStackError(thrown, errno === 'EPERM' ? 'host.not-root' : 'internal', {
    message: `The process ${pid} of ${id} cannot be signalled: ${errno}.`,
    hint: 'Compare the rights of this process with those of the container’s (capabilities(7), CAP_KILL).',
    resource: `container ${id}`,
    operation: `kill ${pid}`,
  });
}

export interface KillOptions {
  signal: number;
  /** Every process of the container, also where its first one has ended. */
  all?: boolean;
}

/** @throws state.status where nothing runs. */
export async function kill(runtime: Runtime, id: string, { signal, all }: KillOptions): Promise<void> {
  const { states } = runtime;
  const state = states.read(id);
  const status = states.status(state);
  const cgroup = states.ownedCgroup(id);
  if (all && cgroup) {
    const pids = cgroupProcesses(cgroup);
    if (status === 'stopped' && pids.length === 0) throw wrongStatus(id, status, 'killed', 'created or running');
    killCgroup(cgroup, undefined, { signal, staysInUse: true });
    return;
  }
  if (status === 'stopped' || status === 'creating') throw wrongStatus(id, status, 'killed', 'created or running');
  if (!signalProcess(runtime, state, signal)) throw wrongStatus(id, 'stopped', 'killed', 'created or running');
  // Frozen, it would die only once it is thawed.
  if (signal === constants.signals.SIGKILL && status === 'paused') await freezeCgroups(state.cgroupsPath, false);
}

/** @throws state.status where it is not stopped and not forced. */
export async function remove(runtime: Runtime, id: string, isForced: boolean): Promise<void> {
  const { states } = runtime;
  let state: ContainerState;
  try {
    state = states.read(id);
  } catch (error) {
    // Forced, what is not there is deleted, and what cannot be read goes.
    if (!isForced) throw error;
    await removeUnreadable(runtime, id);
    return;
  }
  const status = states.status(state);
  if (status !== 'stopped') {
    if (!isForced) throw wrongStatus(id, status, 'deleted', 'stopped');
    await killProcess(runtime, state);
  }
  await undo(runtime, state);
}

/** Where its processes are is written besides the state. */
async function removeUnreadable({ states }: Runtime, id: string): Promise<void> {
  const cgroup = states.ownedCgroup(id);
  if (cgroup) await removeCgroups(cgroup);
  removeStackCgroups(runtimeParent, '');
  states.remove(id);
}

/** @throws state.status */
export async function pause(runtime: Runtime, id: string, isPaused: boolean): Promise<void> {
  const { states } = runtime;
  const state = states.read(id);
  const status = states.status(state);
  const isFit = isPaused ? status === 'running' || status === 'created' : status === 'paused';
  if (!isFit) {
    throw wrongStatus(id, status, isPaused ? 'paused' : 'resumed', isPaused ? 'created or running' : 'paused');
  }
  await freezeCgroups(cgroupOf(state, isPaused ? 'paused' : 'resumed'), isPaused);
}
