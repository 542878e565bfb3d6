/** What was made for a container goes. Source: runtime-spec runtime.md "Lifecycle" steps 12 and 13. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Hooks } from '../../../schemas/oci-runtime.ts';
import { freezeCgroups, removeCgroups, removeStackCgroups } from '../cgroup/cgroup.ts';
import { runtimeParent } from '../cgroup/path.ts';
import type { Runtime } from './create.ts';
import { runHooks } from './hooks.ts';
import { holderOf } from './mount-point.ts';
import { removeResctrl } from './resctrl.ts';
import { type ContainerState, document, isAlive } from './state.ts';

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
    await verbs.pidfdWait(pidfd);
  } finally {
    closeSync(pidfd);
  }
}

/** Step 12 and 13 of the lifecycle: nothing left, then the poststop hooks. */
export async function undo(runtime: Runtime, state: ContainerState): Promise<void> {
  if (state.hasUnit) await (await import('./unit.ts')).removeUnit(state);
  // '' is the top of the hierarchies, with everything of the machine in it.
  if (state.cgroupsPath) await removeCgroups(state.cgroupsPath);
  if (state.isMountedOutside) unmountRoot(runtime, state);
  removeStackCgroups(runtimeParent, '');
  removeResctrl(state.resctrl);
  runtime.states.remove(state.id);
  await poststop(runtime, state.hooks, state);
}

function unmountRoot({ kernel }: Runtime, { rootfs }: ContainerState): void {
  // One bind mount, with everything that was mounted in it; it was not made where the set-up failed early.
  if (holderOf(rootfs) === rootfs) kernel.filesystem.unmount(rootfs);
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

/** What fails in the cleaning up does not hide what failed first. */
export function addFurther(error: unknown, further: unknown): void {
  if (error instanceof StackError) error.also.push(asStackError(further));
}
