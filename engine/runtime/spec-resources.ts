/** What the container may use: memory, processors, processes, and the kernel settings of its own namespaces. */
import { StackError } from '../../schemas/errors.ts';
import type { CpuResources, MemoryResources, Resources } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import { dockerDeviceRules } from './devices.ts';

/** Microseconds: the window a share of processor time is counted in. */
const cpuPeriod = 100_000;

/** `linux.resources` of a service; what `deploy.resources` says wins over the fields of the service itself. */
export function resources(service: Service, isPrivileged: boolean, resource: string): Resources {
  const limits = service.deploy?.resources?.limits;
  const memory = memoryResources(service, resource);
  const cpu = cpuResources(service, resource);
  const pids = limits?.pids ?? service.pids_limit;
  return {
    devices: isPrivileged ? [{ allow: true, access: 'rwm' }] : dockerDeviceRules,
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    // Docker: 0 and -1 both mean that there is no limit.
    ...(pids ? { pids: { limit: pids } } : {}),
  };
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
  if (!limit && !reservation) return undefined;
  return { ...(limit ? { limit } : {}), ...(reservation ? { reservation } : {}), ...(limit && swap ? { swap } : {}) };
}

function cpuResources(service: Service, resource: string): CpuResources | undefined {
  const cpus = service.deploy?.resources?.limits?.cpus ?? service.cpus;
  const cpu: CpuResources = {};
  if (service.cpu_shares !== undefined) cpu.shares = bytes(service.cpu_shares, `${resource}.cpu_shares`);
  if (cpus) {
    cpu.period = cpuPeriod;
    cpu.quota = Math.round(Number(cpus) * cpuPeriod);
    // kernel/sched/core.c: a quota below 1 ms is refused.
    if (cpu.quota < 1000) {
      throw new StackError('config.value', {
        message: `${resource}.cpus: ${cpus} is less than the kernel can count`,
        hint: 'The least is 0.01.',
        resource: `${resource}.cpus`,
      });
    }
  }
  if (service.cpuset) cpu.cpus = service.cpuset;
  return Object.keys(cpu).length > 0 ? cpu : undefined;
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

/** Kernel settings that an IPC namespace keeps for itself (ipc_namespaces(7)). */
const ipcSysctls = new Set([
  ...['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax'],
  ...['kernel.shmmni', 'kernel.shm_rmid_forced'],
]);

/**
 * The service's sysctls over docker's two: every port may be bound and ping used without rights. Names with slashes
 * are those of sysctl(8). @throws config.value for a setting that no namespace of the container owns.
 */
export function sysctls(asked: Record<string, string>, ownsNetwork: boolean, resource: string): Record<string, string> {
  const merged: Record<string, string> = ownsNetwork
    ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
    : {};
  for (const [name, value] of Object.entries(asked)) {
    const isNetwork = name.startsWith('net.');
    const where = `${resource}.sysctls.${name}`;
    if (isNetwork && !ownsNetwork) {
      throw new StackError('config.value', {
        message: `${where}: the service has no network namespace of its own, so this would change another's`,
        hint: 'Remove the sysctl, or give the service a network of its own.',
        resource: where,
      });
    }
    if (!isNetwork && !ipcSysctls.has(name) && !name.startsWith('fs.mqueue.')) {
      throw new StackError('config.value', {
        message: `${where}: the kernel has this setting once for the whole machine`,
        hint: 'A container may set net.*, fs.mqueue.* and the kernel.msg*, kernel.sem and kernel.shm* settings.',
        resource: where,
      });
    }
    merged[name] = String(value);
  }
  return merged;
}
