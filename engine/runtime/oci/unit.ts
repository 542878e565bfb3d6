/** `--cgroup-manager systemd`: a container's cgroup is a unit that systemd makes, before the container's process is born in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { startUnit, stopUnit, updateUnit } from '../cgroup/systemd-manager.ts';
import type { ContainerState } from './state.ts';

/**
 * Makes the unit, and gives what lets go of it: a scope ends with its last process, so that one of ours holds it until the
 * container's own is there. @throws host.cgroup where no system bus answers
 */
export async function holdUnit(state: ContainerState, resources: Resources): Promise<() => void> {
  const holder = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const release = () => void holder.stdin.end();
  try {
    await once(holder, 'spawn');
    await startUnit({ asked: state.cgroupsAsked, id: state.id, resources, pids: [holder.pid!] });
    state.hasUnit = true;
  } catch (error) {
    release();
    throw error;
  }
  return release;
}

export const removeUnit = (state: ContainerState): Promise<void> => stopUnit(state.cgroupsAsked, state.id);

export const changeUnit = (state: ContainerState, resources: Resources): Promise<void> =>
  updateUnit(state.cgroupsAsked, state.id, resources);
