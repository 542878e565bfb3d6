/** `gpus` and `deploy.resources.reservations.devices`: requests that are met by devices of CDI. Source: compose-spec deploy.md "devices". */
import { StackError } from '../../schemas/errors.ts';
import type { DeviceRequest } from '../../schemas/project.ts';
import { type CdiDevice, cdiDirectories } from './cdi-spec.ts';

/** Whether a word is the name of a device of CDI: `vendor.com/class=name`. */
export const isCdiName = (text: string): boolean =>
  /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w-]*=[A-Za-z0-9][\w.:-]*$/.test(text);

/** @throws config.undefined-reference naming the devices there are. */
export function cdiDevice(name: string, devices: Map<string, CdiDevice>, resource: string): CdiDevice {
  const found = devices.get(name);
  if (found) return found;
  throw missing(`no CDI specification describes ${name}`, devices, resource);
}

/** The devices a request is met by. @throws config.undefined-reference, config.value */
export function requestedDevices(
  request: DeviceRequest,
  devices: Map<string, CdiDevice>,
  resource: string,
): CdiDevice[] {
  const { driver, device_ids: ids = [], count } = request;
  if (ids.length > 0 && count !== undefined) {
    throw new StackError('config.value', {
      message: `${resource}: count and device_ids exclude each other`,
      hint: 'Keep device_ids to say which ones, or count to say how many.',
      resource,
    });
  }
  const full = ids.filter(isCdiName).map((name) => cdiDevice(name, devices, resource));
  const short = ids.filter((id) => !isCdiName(id));
  if (driver === 'cdi' && (ids.length === 0 || short.length > 0)) {
    throw missing(
      `the driver cdi takes whole names in device_ids, not ${JSON.stringify(short[0] ?? count)}`,
      devices,
      resource,
    );
  }
  if (ids.length > 0 && short.length === 0) return full;
  const kind = kindOf(driver, devices, resource);
  const named = (id: string) => cdiDevice(`${kind}=${id}`, devices, resource);
  if (short.length > 0) return [...full, ...short.map(named)];
  const own = [...devices.values()].filter((one) => one.name.startsWith(`${kind}=`));
  const single = own.filter(({ name }) => /^\d+$/.test(name.slice(kind.length + 1))).sort(byNumber);
  // Docker: neither count nor ids means all of them.
  if (count === undefined || count < 0)
    return devices.has(`${kind}=all`) ? [named('all')] : single.length > 0 ? single : own;
  if (count <= single.length) return single.slice(0, count);
  throw missing(`${count} devices of ${kind} are asked for, and there are ${single.length}`, devices, resource);
}

const byNumber = (a: CdiDevice, b: CdiDevice) => number(a) - number(b);
const number = ({ name }: CdiDevice) => Number(name.slice(name.indexOf('=') + 1));

/** `nvidia` → `nvidia.com/gpu`; without a driver the one kind of GPUs there is. */
function kindOf(driver: string | undefined, devices: Map<string, CdiDevice>, resource: string): string {
  const kinds = [...new Set([...devices.values()].map(({ name }) => name.slice(0, name.indexOf('='))))];
  const gpus = kinds.filter((kind) => kind.endsWith('/gpu')).sort();
  const fitting = driver ? kinds.filter((kind) => kind === driver || kind === `${driver}.com/gpu`) : gpus;
  const [kind, other] = fitting;
  if (kind && (!other || driver)) return kind;
  if (other)
    throw missing(`there are GPUs of several kinds, ${gpus.join(' and ')}: say which driver`, devices, resource);
  throw missing(
    `no CDI specification describes ${driver ? `a device of the driver ${driver}` : 'a GPU'}`,
    devices,
    resource,
  );
}

function missing(what: string, devices: Map<string, CdiDevice>, resource: string): StackError {
  const names = [...devices.keys()].slice(0, 20).join(', ');
  const places = cdiDirectories.join(' and ');
  return new StackError('config.undefined-reference', {
    message: `${resource}: ${what}`,
    hint: names
      ? `This machine has: ${names}.`
      : `GPUs and other devices are found through CDI, in ${places}, where there is nothing. For NVIDIA install nvidia-container-toolkit and run \`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml\`; a plain node is given with \`devices: [/dev/dri]\`.`,
    resource,
  });
}
