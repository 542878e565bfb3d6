/** What the container may use: memory, processors, processes, devices. */
import { StackError } from '../../schemas/errors.ts';
import type { DeviceRule, MemoryResources, Resources } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import { dockerDeviceRules } from './devices.ts';
import { blockIo, type FindDevice } from './spec-block-io.ts';
import { cpuResources } from './spec-cpu.ts';

/** `linux.resources` of a service; what `deploy.resources` says wins over the fields of the service itself. */
export function resources(
  service: Service,
  { isPrivileged, devices = [], find }: { isPrivileged: boolean; devices?: DeviceRule[]; find: FindDevice },
  resource: string,
): Resources {
  const limits = service.deploy?.resources?.limits;
  const memory = memoryResources(service, resource);
  const cpu = cpuResources(service, resource);
  const pids = limits?.pids ?? service.pids_limit;
  return {
    devices: isPrivileged
      ? [{ allow: true, access: 'rwm' }]
      : [...dockerDeviceRules, ...devices, ...deviceRules(service.device_cgroup_rules ?? [], resource)],
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    // Docker: 0 and -1 both mean that there is no limit.
    ...(pids ? { pids: { limit: pids } } : {}),
    ...blockIo(service.blkio_config, find, resource),
  };
}

/** `device_cgroup_rules`: `c 1:3 rwm`, `a *:* r`, as the v1 file devices.allow reads them. @throws config.value */
function deviceRules(lines: string[], resource: string): DeviceRule[] {
  return lines.map((line) => {
    const found = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(line.trim());
    if (!found) {
      throw new StackError('config.value', {
        message: `${resource}.device_cgroup_rules: "${line}" is not a rule`,
        hint: 'Write type, numbers and access: `c 1:3 rwm`, with * for every number and a for every type.',
        resource: `${resource}.device_cgroup_rules`,
      });
    }
    const [, type, major, minor, access] = found as unknown as [string, 'a' | 'b' | 'c', string, string, string];
    const number = (name: 'major' | 'minor', text: string) => (text === '*' ? {} : { [name]: Number(text) });
    return { allow: true, type, ...number('major', major), ...number('minor', minor), access };
  });
}

function memoryResources(service: Service, resource: string): MemoryResources | undefined {
  const deploy = service.deploy?.resources;
  const size = (value: string | undefined, field: string) =>
    value === undefined ? undefined : bytes(value, `${resource}.${field}`);
  const limit = size(deploy?.limits?.memory, 'deploy.resources.limits.memory') ?? size(service.mem_limit, 'mem_limit');
  const reservation =
    size(deploy?.reservations?.memory, 'deploy.resources.reservations.memory') ??
    size(service.mem_reservation, 'mem_reservation');
  const asked = size(service.memswap_limit, 'memswap_limit');
  // Docker: as much swap as memory where nothing is said.
  const swap = asked || (limit ? limit * 2 : undefined);
  if (limit && swap !== undefined && swap !== -1 && swap < limit) {
    throw new StackError('config.value', {
      message: `${resource}.memswap_limit: ${swap} is less than the memory limit ${limit}`,
      hint: 'memswap_limit counts memory and swap together; make it at least mem_limit, or -1 for unlimited swap.',
      resource: `${resource}.memswap_limit`,
    });
  }
  const memory: MemoryResources = {};
  if (limit) memory.limit = limit;
  if (reservation) memory.reservation = reservation;
  if (limit && swap) memory.swap = swap;
  // Docker: -1 is what happens anyway.
  if (service.mem_swappiness !== undefined && service.mem_swappiness !== '-1') {
    memory.swappiness = bytes(service.mem_swappiness, `${resource}.mem_swappiness`);
  }
  if (service.oom_kill_disable) memory.disableOOMKiller = true;
  return Object.keys(memory).length > 0 ? memory : undefined;
}

const units: Record<string, number> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/** A size as compose writes it (`67108864`, `64m`, `1.5gb`, `-1`), in bytes. @throws config.value */
export function bytes(value: string | number, resource: string): number {
  const text = String(value).trim().toLowerCase();
  if (text === '-1') return -1;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/.exec(text);
  if (match) return Math.floor(Number(match[1]) * units[match[2] || 'b']!);
  throw new StackError('config.value', {
    message: `${resource}: "${value}" is not a size`,
    hint: 'Write a number of bytes, or a number with one of b, k, m, g: 64m.',
    resource,
  });
}
