/** What was made for a container goes. Source: runtime-spec runtime.md "Lifecycle" steps 12 and 13. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Hooks } from '../../../schemas/oci-runtime.ts';
import {
  cgroupProcesses,
  freezeCgroups,
  isFrozen,
  releaseToDie,
  removeCgroups,
  removeStackCgroups,
} from '../cgroup/cgroup.ts';
import { runtimeParent } from '../cgroup/path.ts';
import type { Runtime } from './create.ts';
import { runHooks } from './hooks.ts';
import { mountsAt } from './mount-point.ts';
import { removeResctrl } from './resctrl.ts';
import { type ContainerState, document, isAlive } from './state.ts';

/** Kills the first process, paused or not, and waits for its end. @throws runtime.timeout after `timeoutMs` */
export async function killProcess(runtime: Runtime, state: ContainerState, timeoutMs = 10_000): Promise<void> {
  const verbs = runtime.kernel.process;
  if (state.pid === 0) return;
  let pidfd: number | undefined;
  try {
    pidfd = verbs.pidfdOpen(state.pid);
    if (!isAlive(state)) return;
    verbs.pidfdSignal(pidfd, constants.signals.SIGKILL);
    if (state.cgroupsPath && isFrozen(state.cgroupsPath)) await freezeCgroups(state.cgroupsPath, false);
    if (state.cgroupsPath) {
      // The first process of a pid namespace ends after all others of it.
      for (const pid of [state.pid, ...cgroupProcesses(state.cgroupsPath)]) releaseToDie(pid, state.cgroupsPath);
    }
    if (await verbs.pidfdWait(pidfd, timeoutMs)) return;
    throw new StackError('runtime.timeout', {
      message: `The process ${state.pid} of ${state.id} was killed, and has not ended within ${timeoutMs / 1000} s.`,
      hint: `It waits in the kernel: see /proc/${state.pid}/stack and the state in /proc/${state.pid}/status; a cgroup above its own may be frozen. Then delete the container again.`,
      resource: `container ${state.id}`,
      operation: `kill ${state.pid}`,
    });
  } catch (thrown) {
    // Ended by itself.
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}

/** Step 12 and 13 of the lifecycle: nothing left, then the poststop hooks. */
export async function undo(runtime: Runtime, state: ContainerState): Promise<void> {
  if (state.hasUnit) await (await import('./unit.ts')).removeUnit(state);
  // Another's processes may be in a cgroup that was not made for this container.
  const cgroup = runtime.states.ownedCgroup(state.id);
  if (cgroup) await removeCgroups(cgroup);
  if (state.isMountedOutside) unmountRoot(runtime, state);
  removeStackCgroups(runtimeParent, '');
  removeResctrl(state.resctrl);
  runtime.states.remove(state.id);
  await poststop(runtime, state.hooks, state);
}

function unmountRoot({ kernel }: Runtime, { rootfs, mountsBefore = 0 }: ContainerState): void {
  // One bind mount, with everything that was mounted in it. It was not made where the set-up failed early: what is there
  // then is the caller's.
  if (mountsAt(rootfs) > mountsBefore) kernel.filesystem.unmount(rootfs);
}

/** A poststop hook that fails is a warning, and the others run all the same. */
export async function poststop(runtime: Runtime, hooks: Hooks, state: ContainerState): Promise<void> {
  for (const hook of hooks.poststop ?? []) {
    try {
      await runHooks(runtime.kernel.process, 'poststop', [hook], document(state, 'stopped'));
    } catch (error) {
      runtime.warn((error as Error).message);
    }
  }
}

/** Destroys after a failure. What fails in that does not hide what failed first: it comes along with it. */
export async function destroyAfter(error: unknown, runtime: Runtime, state: ContainerState): Promise<StackError> {
  return cleanUpAfter(error, async () => {
    await killProcess(runtime, state);
    await undo(runtime, state);
  });
}

/** Answers the error that was first, to be thrown. */
export async function cleanUpAfter(error: unknown, cleanUp: () => Promise<void>): Promise<StackError> {
  const first = asStackError(error);
  await cleanUp().catch((further) => first.also.push(asStackError(further)));
  return first;
}
