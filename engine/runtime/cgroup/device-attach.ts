/** Device filters of cgroup v2 put in force. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Fd, ProcessVerbs } from '../../../schemas/kernel.ts';
import { failed } from './files.ts';

export type DeviceVerbs = Pick<ProcessVerbs, 'loadDeviceFilter' | 'attachDeviceFilter'>;

/** Programs by their bytes: containers of the same rules share one. Held for the life of the process. */
const programs = new Map<string, Fd>();

/**
 * Has the program decide over the devices of the cgroup.
 * @param replaces whether it takes the place of what is attached there, with no moment without a filter; else a cgroup
 * that has filters keeps them.
 * @throws host.cgroup with the verifier's words.
 */
export function attachFilter(directory: string, filter: Uint8Array, verbs: DeviceVerbs, replaces = false): void {
  let fd: Fd | undefined;
  try {
    fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    const key = Buffer.from(filter).toString('latin1');
    if (!programs.has(key)) programs.set(key, verbs.loadDeviceFilter(filter));
    verbs.attachDeviceFilter(fd, programs.get(key)!, replaces);
  } catch (thrown) {
    throw failed(thrown, `attach the device filter to ${directory}`, 'linux.resources.devices');
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
