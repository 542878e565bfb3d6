/** Whether this machine can run stacks, and what to do where it cannot. Nothing is changed: trials are taken back. */
import { cgroupChecks } from './cgroups.ts';
import { type Check, check, type Machine } from './check.ts';
import { kernelChecks } from './kernel.ts';
import { networkChecks } from './network.ts';
import { type SecurityPlaces, securityChecks } from './security.ts';
import { storageChecks } from './storage.ts';

export { type Check, type CheckStatus, check, thisMachine } from './check.ts';
export { securityPlaces } from './security.ts';

/** Every check there is, in the order to read them in. One that breaks is a failure of its own. */
export async function examine(machine: Machine, security: SecurityPlaces): Promise<Check[]> {
  const rooms: [name: string, look: () => Check[] | Promise<Check[]>][] = [
    ['kernel', () => kernelChecks(machine)],
    ['cgroup', () => cgroupChecks(machine)],
    ['security', () => securityChecks(security)],
    ['storage', () => storageChecks(machine)],
    ['network', () => networkChecks(machine)],
  ];
  const found = rooms.map(async ([name, look]) => {
    try {
      return await look();
    } catch (thrown) {
      return [check(`${name}.unknown`, `Looking at: ${name}`).fail((thrown as Error).message)];
    }
  });
  return (await Promise.all(found)).flat();
}
