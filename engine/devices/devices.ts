/** The devices of a service: nodes of the host, devices of CDI, GPUs, and all there are where it is privileged. */
import type { Service } from '../../schemas/project.ts';
import { cdiGrants } from './cdi-edits.ts';
import { type CdiDevice, cdiDevices } from './cdi-spec.ts';
import { cdiDevice, isCdiName, requestedDevices } from './gpus.ts';
import { type Grants, joinGrants } from './grants.ts';
import { allDevices, mappedDevices } from './host-devices.ts';

export type { Grants } from './grants.ts';
export { findDevice } from './host-devices.ts';

/** @param directories where CDI specifications lie. @throws config.value, config.undefined-reference, config.not-supported */
export function serviceDevices(config: Service, resource: string, directories?: string[]): Grants {
  let described: Map<string, CdiDevice> | undefined;
  const known = () => (described ??= cdiDevices(directories));
  const mapped = (config.devices ?? []).map((device, index): Partial<Grants> => {
    const where = `${resource}.devices.${index}`;
    if (!isCdiName(device.source)) return mappedDevices(device, where);
    return cdiGrants(cdiDevice(device.source, known(), where), where);
  });
  const requests = [
    ...(config.gpus ?? []).map((request) => ({ request, where: `${resource}.gpus` })),
    ...(config.deploy?.resources?.reservations?.devices ?? []).map((request) => ({
      request,
      where: `${resource}.deploy.resources.reservations.devices`,
    })),
  ];
  const granted = requests.flatMap(({ request, where }) =>
    requestedDevices(request, known(), where).map((device) => cdiGrants(device, where)),
  );
  return joinGrants([config.privileged ? { nodes: allDevices() } : {}, ...mapped, ...granted]);
}
