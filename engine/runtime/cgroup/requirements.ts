/** What `linux.resources` needs of the machine's hierarchies. A limit that nothing could keep is refused by its name. */
import { StackError } from '../../../schemas/errors.ts';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import type { Hierarchies } from './hierarchies.ts';

/**
 * Whether a property's value asks for anything. As runc has it, 0 of a limit is a field its sender did not fill in; in
 * those below it is a value like another.
 */
export const isAsked = (value: unknown, property: string): boolean =>
  value !== undefined && value !== '' && (zeroes.has(property) || (value !== 0 && value !== 0n));
const zeroes = new Set(['cpu.idle', 'cpu.burst', 'memory.swappiness', 'pids.limit', 'network.classID']);

/** @throws config.value unless it is as the files are named: `2MB`. */
export function pageSize({ pageSize: size }: { pageSize: string }): string {
  if (/^\d+[KMGTPE]B$/.test(size)) return size;
  throw new StackError('config.value', {
    message: `linux.resources.hugepageLimits: "${size}" is not the size of a huge page`,
    hint: 'Write it as the kernel names it in /sys/kernel/mm/hugepages, in units of KB, MB or GB: 2MB.',
    resource: 'linux.resources.hugepageLimits',
  });
}

/** A property, the v1 controller that keeps it, and v2's; null where v2 has nothing like it. */
type Need = [property: string, value: unknown, v1: string, v2: string | null];

function needs({ memory = {}, cpu = {}, pids, blockIO = {}, network = {}, ...rest }: Resources): Need[] {
  const memoryOf = (name: keyof typeof memory, v2: string | null = 'memory'): Need => [
    ...([`memory.${name}`, memory[name], 'memory', v2] as const),
  ];
  const cpuOf = (name: keyof typeof cpu, controller = 'cpu', v2: string | null = controller): Need => [
    ...([`cpu.${name}`, cpu[name], controller, v2] as const),
  ];
  const list = (value: unknown[] | undefined) => (value?.length ? value : undefined);
  const leafDevices = (blockIO.weightDevice ?? []).filter((one) => one.leafWeight);
  const throttles = ['throttleReadBpsDevice', 'throttleWriteBpsDevice', 'throttleReadIOPSDevice'] as const;
  return [
    ...(['limit', 'reservation', 'swap'] as const).map((name) => memoryOf(name)),
    // -1 is no limit, and there is no other way to have it in v2.
    ...(memory.kernelTCP !== undefined && memory.kernelTCP < 0 ? [] : [memoryOf('kernelTCP', null)]),
    memoryOf('swappiness', null),
    ['memory.disableOOMKiller', memory.disableOOMKiller || undefined, 'memory', null],
    ['memory.useHierarchy', memory.useHierarchy === false ? false : undefined, 'memory', null],
    ...(['shares', 'quota', 'period', 'burst', 'idle'] as const)
      .filter((name) => cpu[name] !== 0)
      .map((name) => cpuOf(name)),
    cpuOf('realtimePeriod', 'cpu', null),
    cpuOf('realtimeRuntime', 'cpu', null),
    cpuOf('cpus', 'cpuset'),
    cpuOf('mems', 'cpuset'),
    ['pids.limit', pids?.limit, 'pids', 'pids'],
    ['blockIO.weight', blockIO.weight, 'blkio', 'io'],
    ['blockIO.leafWeight', blockIO.leafWeight, 'blkio', null],
    ['blockIO.weightDevice', list(blockIO.weightDevice), 'blkio', 'io'],
    ['blockIO.weightDevice.leafWeight', list(leafDevices), 'blkio', null],
    ...[...throttles, 'throttleWriteIOPSDevice' as const].map(
      (name): Need => [`blockIO.${name}`, list(blockIO[name]), 'blkio', 'io'],
    ),
    ['hugepageLimits', list(rest.hugepageLimits), 'hugetlb', 'hugetlb'],
    ['network.classID', network.classID || undefined, 'net_cls', null],
    ['network.priorities', list(network.priorities), 'net_prio', null],
    ['rdma', list(Object.keys(rest.rdma ?? {})), 'rdma', 'rdma'],
  ];
}

/**
 * @throws host.kernel-feature for a limit that no hierarchy of this machine can keep, naming property and controller;
 * config.value for values that no machine could take.
 */
export function refuseUnkeepable(resources: Resources, all: Hierarchies): void {
  refuseWrong(resources);
  const v1 = new Set(all.v1.flatMap(({ controllers }) => controllers));
  const v2 = new Set(all.v2?.controllers);
  for (const [property, value, onV1, onV2] of needs(resources)) {
    if (!isAsked(value, property) || v1.has(onV1) || (onV2 !== null && v2.has(onV2))) continue;
    throw unkeepable(property, onV1, onV2, all);
  }
  const [unified] = Object.keys(resources.unified ?? {});
  if (unified !== undefined && !all.v2) throw unkeepable(`unified["${unified}"]`, null, unified, all);
}

function refuseWrong({ memory, unified }: Resources): void {
  const wrong = (property: string, what: string, hint: string) =>
    new StackError('config.value', {
      message: `linux.resources.${property}: ${what}`,
      hint,
      resource: `linux.resources.${property}`,
    });
  for (const file of Object.keys(unified ?? {})) {
    if (/^[^/.\s\0]+\.[^/\s\0]+$/.test(file) && !file.includes('..')) continue;
    const hint = 'Write it as in `memory.high`, without a folder.';
    throw wrong(`unified["${file}"]`, 'the key is not the name of a file of cgroup v2', hint);
  }
  const { limit, swap, swappiness } = memory ?? {};
  if (limit && swap && limit > 0 && swap > 0 && swap < limit) {
    const hint = 'Swap counts memory and swap together; make it at least the limit, or -1 for unlimited swap.';
    throw wrong('memory.swap', `${swap} is less than the limit of memory, ${limit}`, hint);
  }
  if (swappiness !== undefined && (swappiness < 0 || swappiness > 100)) {
    throw wrong('memory.swappiness', `${swappiness} is not between 0 and 100`, 'See the sysctl vm.swappiness.');
  }
}

function unkeepable(property: string, v1: string | null, v2: string | null, all: Hierarchies): StackError {
  const controller = v1 && v2 && v1 !== v2 ? `${v1} (v1) or ${v2} (v2)` : (v1 ?? v2);
  const reason =
    v1 === null
      ? `no cgroup v2 is mounted (the machine's cgroups are ${all.mode})`
      : v2 === null && all.mode === 'unified'
        ? `cgroup v2 has nothing for it; it is kept by the v1 controller ${v1} alone`
        : `no cgroup hierarchy of this machine has the controller ${controller}`;
  return new StackError('host.kernel-feature', {
    message: `The container has a ${v1 ?? 'unified'} limit, linux.resources.${property}, and ${reason}.`,
    hint:
      v2 === null
        ? `Mount the v1 controller ${v1} below /sys/fs/cgroup, or remove the limit.`
        : 'Mount cgroup2 at /sys/fs/cgroup with this controller, or remove the limit.',
    resource: `linux.resources.${property}`,
    operation: `cgroup ${controller}`,
  });
}
