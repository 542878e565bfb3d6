/** A container of a bundle from `create` to `delete` in this process: what `stack-runtime run` does, without its start. */
import type { Launched } from '../engine/runtime/launcher.ts';
import { create, type Runtime } from '../engine/runtime/oci/create.ts';
import { setUpError } from '../engine/runtime/oci/failure.ts';
import { remove } from '../engine/runtime/oci/kill.ts';
import { afterStart } from '../engine/runtime/oci/start.ts';
import { States } from '../engine/runtime/oci/state.ts';
import { loadKernel } from '../native/index.ts';

/** @param root directory of the state, as `--root` has it. */
export function runtimeAt(root: string): Runtime {
  return {
    kernel: loadKernel(),
    states: new States(root),
    cgroupManager: 'cgroupfs',
    environment: {},
    warn: () => {},
  };
}

/** Answers the exit code. @throws what kept the program from running. */
export async function runBundle(runtime: Runtime, id: string, bundle: string): Promise<number> {
  const options = { bundle, isDetached: false, waits: true, startsItself: true };
  const { state, launched } = await create(runtime, id, options);
  try {
    launched.proceed();
    await started(id, launched);
    await afterStart(runtime, state);
    return await ended(launched);
  } finally {
    launched.close();
    await remove(runtime, id, true);
  }
}

async function started(id: string, launched: Launched): Promise<void> {
  for (let event = await launched.next(); event; event = await launched.next()) {
    if (event.kind === 'started') return;
    if (event.kind === 'failed') throw setUpError(id, event.failure);
  }
  throw new Error(`${id}: the shim is gone`);
}

async function ended(launched: Launched): Promise<number> {
  for (let event = await launched.next(); event; event = await launched.next()) {
    if (event.kind === 'exit') return event.code;
  }
  throw new Error('the shim is gone');
}
