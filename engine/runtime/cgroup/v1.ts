/** `linux.resources` as files of cgroup v1. Source: runtime-spec config-linux.md; the kernel's admin-guide/cgroup-v1. */
import type { BlockIo, MemoryResources, Resources, Throttle } from '../../../schemas/oci-runtime.ts';
import { runtimeDeviceRules } from '../devices.ts';
import { deviceLines } from './device-list.ts';
import type { Write } from './files.ts';
import { isAsked, pageSize } from './requirements.ts';

/** What the controllers mounted at one place are told about a container in `directory`. */
export function v1Writes(resources: Resources, controllers: string[], directory: string): Write[] {
  return controllers.flatMap((name) => translators[name]?.(resources) ?? []).map((line) => toWrite(line, directory));
}

/** A file, what is written into it, which property asked for it, and what holds where the file is missing. */
export type Line = [
  file: string,
  value: unknown,
  property: string,
  otherwise?: 'mayLack' | { file: string; value: unknown } | undefined,
];

export function toWrite([file, value, property, otherwise]: Line, directory: string): Write {
  const write: Write = { file: `${directory}/${file}`, value: String(value), property };
  if (otherwise === 'mayLack') write.mayLack = true;
  else if (otherwise) {
    write.instead = { file: `${directory}/${otherwise.file}`, value: String(otherwise.value), property };
  }
  return write;
}

const translators: Record<string, (resources: Resources) => Line[]> = {
  memory: ({ memory = {} }) => memoryLines(memory),
  cpu: ({ cpu = {} }) =>
    asked([
      // 0 behind nothing else: an idle group takes no shares.
      ['cpu.idle', cpu.idle === 0 ? 0 : undefined, 'cpu.idle'],
      ['cpu.shares', cpu.shares, 'cpu.shares'],
      ['cpu.cfs_period_us', cpu.period, 'cpu.period'],
      ['cpu.cfs_quota_us', cpu.quota, 'cpu.quota'],
      ['cpu.cfs_burst_us', cpu.burst, 'cpu.burst', cpu.burst ? undefined : 'mayLack'],
      ['cpu.rt_period_us', cpu.realtimePeriod, 'cpu.realtimePeriod'],
      ['cpu.rt_runtime_us', cpu.realtimeRuntime, 'cpu.realtimeRuntime'],
      ['cpu.idle', cpu.idle || undefined, 'cpu.idle'],
    ]),
  cpuset: ({ cpu = {} }) =>
    asked([
      ['cpuset.cpus', cpu.cpus, 'cpu.cpus'],
      ['cpuset.mems', cpu.mems, 'cpu.mems'],
    ]),
  pids: ({ pids = {} }) => asked([['pids.max', pidsMax(pids.limit), 'pids.limit']]),
  devices: ({ devices }) =>
    devices ? deviceLines(devices, runtimeDeviceRules).map(({ file, value }): Line => [file, value, 'devices']) : [],
  blkio: ({ blockIO = {} }) => blockLines(blockIO),
  hugetlb: ({ hugepageLimits = [] }) =>
    hugepageLimits.flatMap((one): Line[] => [
      [`hugetlb.${pageSize(one)}.limit_in_bytes`, one.limit, 'hugepageLimits'],
      // Limits at the time of mmap(2), where the kernel counts reservations (Linux 5.7).
      [`hugetlb.${one.pageSize}.rsvd.limit_in_bytes`, one.limit, 'hugepageLimits', 'mayLack'],
    ]),
  net_cls: ({ network = {} }) => asked([['net_cls.classid', network.classID, 'network.classID']]),
  net_prio: ({ network = {} }) =>
    (network.priorities ?? []).map(
      (one): Line => ['net_prio.ifpriomap', `${one.name} ${one.priority}`, 'network.priorities'],
    ),
  rdma: ({ rdma = {} }) => rdmaLines(rdma),
};

/** Lines whose value was given: as runc has it, 0 of a limit is a field that its sender did not fill in. */
export function asked(lines: Line[]): Line[] {
  return lines.filter(([, value, property]) => isAsked(value, property));
}

function memoryLines(memory: MemoryResources): Line[] {
  return asked([
    // Since Linux 5.11 there is no other way than "true", and a kernel may have dropped the file.
    [
      'memory.use_hierarchy',
      flag(memory.useHierarchy),
      'memory.useHierarchy',
      memory.useHierarchy ? 'mayLack' : undefined,
    ],
    ['memory.limit_in_bytes', memory.limit, 'memory.limit'],
    ['memory.soft_limit_in_bytes', memory.reservation, 'memory.reservation'],
    // Behind the limit: it may not be below it. Absent where swap is not accounted.
    ['memory.memsw.limit_in_bytes', memory.swap, 'memory.swap', 'mayLack'],
    ['memory.kmem.tcp.limit_in_bytes', memory.kernelTCP, 'memory.kernelTCP'],
    ['memory.swappiness', memory.swappiness, 'memory.swappiness'],
    ['memory.oom_control', flag(memory.disableOOMKiller), 'memory.disableOOMKiller'],
  ]);
}

const flag = (value: boolean | undefined) => (value === undefined ? undefined : value ? '1' : '0');

function blockLines(io: BlockIo): Line[] {
  const device = (one: { major: number; minor: number }, value: number) => `${one.major}:${one.minor} ${value}`;
  const bfq = (name: string, value: unknown) => ({ file: `blkio.bfq.${name}`, value });
  const weight = (name: string, value: string | number | undefined, property: string): Line => [
    ...([`blkio.${name}`, value, `blockIO.${property}`, bfq(name, value)] as const),
  ];
  return [
    ...asked([weight('weight', io.weight, 'weight'), weight('leaf_weight', io.leafWeight, 'leafWeight')]),
    ...(io.weightDevice ?? []).flatMap((one) =>
      asked([
        weight('weight_device', one.weight && device(one, one.weight), 'weightDevice'),
        weight('leaf_weight_device', one.leafWeight && device(one, one.leafWeight), 'weightDevice.leafWeight'),
      ]),
    ),
    ...throttles('read_bps', io.throttleReadBpsDevice, 'throttleReadBpsDevice'),
    ...throttles('write_bps', io.throttleWriteBpsDevice, 'throttleWriteBpsDevice'),
    ...throttles('read_iops', io.throttleReadIOPSDevice, 'throttleReadIOPSDevice'),
    ...throttles('write_iops', io.throttleWriteIOPSDevice, 'throttleWriteIOPSDevice'),
  ];
}

/** The line of rdma.max, the same in both versions. */
export function rdmaLines(rdma: NonNullable<Resources['rdma']>): Line[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]): Line => {
    const handles = hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`];
    const objects = hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`];
    return ['rdma.max', [device, ...handles, ...objects].join(' '), `rdma.${device}`];
  });
}

/**
 * What pids.max is told. 0 is a limit (runtime-spec) and written as 1: for the container's first process it is the same,
 * and clone3(2) into a cgroup of 0 is refused.
 */
export const pidsMax = (value: number | bigint | undefined) =>
  value === undefined ? undefined : value < 0 ? 'max' : value === 0 || value === 0n ? 1 : value;

function throttles(name: string, list: Throttle[] = [], property: string): Line[] {
  const line = (one: Throttle) => `${one.major}:${one.minor} ${one.rate ?? 0}`;
  return list.map((one): Line => [`blkio.throttle.${name}_device`, line(one), `blockIO.${property}`]);
}
