/** kill, delete, pause and resume. Source: runtime-spec runtime.md "Kill" and "Delete". */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { StackError } from '../../../schemas/errors.ts';
import {
  cgroupProcesses,
  freezeCgroups,
  killCgroup,
  releaseToDie,
  removeCgroups,
  removeStackCgroups,
  resolveCgroupsPath,
} from '../cgroup/cgroup.ts';
import { runtimeParent } from '../cgroup/path.ts';
import { readSpec } from '../spec-json.ts';
import { type Runtime, undo } from './create.ts';
import { wrongStatus } from './start.ts';
import { type ContainerState, isAlive } from './state.ts';

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

/** Whether the process got it: false where it has ended. */
function signalProcess({ kernel: { process: verbs } }: Runtime, state: ContainerState, signal: number): boolean {
  let pidfd: number;
  try {
    pidfd = verbs.pidfdOpen(state.pid);
  } catch {
    return false;
  }
  try {
    // Asked after the descriptor was opened: the number cannot have gone to another process in between.
    if (!isAlive(state)) return false;
    verbs.pidfdSignal(pidfd, signal);
    return true;
  } catch {
    return false;
  } finally {
    closeSync(pidfd);
  }
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
  if (all && state.cgroupsPath) {
    const pids = cgroupProcesses(state.cgroupsPath);
    if (status === 'stopped' && pids.length === 0) throw wrongStatus(id, status, 'killed', 'created or running');
    killCgroup(state.cgroupsPath, undefined, { signal, staysInUse: true });
    return;
  }
  if (status === 'stopped' || status === 'creating') throw wrongStatus(id, status, 'killed', 'created or running');
  if (!signalProcess(runtime, state, signal)) throw wrongStatus(id, 'stopped', 'killed', 'created or running');
  // Frozen, it would die only once it is thawed.
  if (signal === constants.signals.SIGKILL && status === 'paused') await freezeCgroups(state.cgroupsPath, false);
}

/** Kills the first process, and waits for its end. */
export async function killProcess(runtime: Runtime, state: ContainerState): Promise<void> {
  const verbs = runtime.kernel.process;
  let pidfd: number;
  try {
    pidfd = verbs.pidfdOpen(state.pid);
  } catch {
    return;
  }
  try {
    if (!isAlive(state)) return;
    verbs.pidfdSignal(pidfd, constants.signals.SIGKILL);
    if (runtime.states.status(state) === 'paused') await freezeCgroups(state.cgroupsPath, false);
    if (state.cgroupsPath) {
      // The first process of a pid namespace ends after all others of it.
      for (const pid of [state.pid, ...cgroupProcesses(state.cgroupsPath)]) releaseToDie(pid, state.cgroupsPath);
    }
    await verbs.pidfdWait(pidfd);
  } finally {
    closeSync(pidfd);
  }
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

/** The copy of config.json says where its processes are, where the state does not. */
async function removeUnreadable({ states, cgroupManager }: Runtime, id: string): Promise<void> {
  let path = '';
  try {
    const { linux } = readSpec(states.config(id), id);
    if (cgroupManager !== 'disabled') path = resolveCgroupsPath(linux?.cgroupsPath, id, cgroupManager);
  } catch {
    // There is none: nothing was made, either.
  }
  if (path) await removeCgroups(path);
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
  await freezeCgroups(state.cgroupsPath, isPaused);
}
