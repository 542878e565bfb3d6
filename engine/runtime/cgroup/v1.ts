/** `linux.resources` as files of cgroup v1. Source: runtime-spec config-linux.md; the kernel's admin-guide/cgroup-v1. */
import type { DeviceRule, Resources } from '../../../schemas/oci-runtime.ts';
import { deviceRuleLine, runtimeDeviceRules } from '../devices.ts';
import type { Write } from './plan.ts';

/** What the controllers mounted at one place are told about a container in `directory`. */
export function v1Writes(resources: Resources, controllers: string[], directory: string): Write[] {
  return controllers
    .flatMap((name) => translators[name]?.(resources) ?? [])
    .map(([file, value, isOptional]) => ({
      file: `${directory}/${file}`,
      value: String(value),
      ...(isOptional ? { isOptional } : {}),
    }));
}

type Line = [file: string, value: unknown, isOptional?: boolean];

const translators: Record<string, (resources: Resources) => Line[]> = {
  memory: ({ memory = {} }) =>
    present([
      ['memory.limit_in_bytes', memory.limit],
      ['memory.soft_limit_in_bytes', memory.reservation],
      // Behind the limit: it may not be below it. Absent where swap is not accounted.
      ['memory.memsw.limit_in_bytes', memory.swap, true],
      ['memory.kmem.tcp.limit_in_bytes', memory.kernelTCP],
      ['memory.swappiness', memory.swappiness],
      ['memory.oom_control', memory.disableOOMKiller ? 1 : undefined],
    ]),
  cpu: ({ cpu = {} }) =>
    present([
      ['cpu.shares', cpu.shares],
      ['cpu.cfs_period_us', cpu.period],
      ['cpu.cfs_quota_us', cpu.quota],
      ['cpu.cfs_burst_us', cpu.burst],
      ['cpu.rt_period_us', cpu.realtimePeriod],
      ['cpu.rt_runtime_us', cpu.realtimeRuntime],
      ['cpu.idle', cpu.idle],
    ]),
  cpuset: ({ cpu = {} }) =>
    present([
      ['cpuset.cpus', cpu.cpus || undefined],
      ['cpuset.mems', cpu.mems || undefined],
    ]),
  pids: ({ pids = {} }) => present([['pids.max', limit(pids.limit)]]),
  devices: ({ devices }) => (devices ? deviceLines([...devices, ...runtimeDeviceRules]) : []),
  blkio: ({ blockIO = {} }) => [
    ...present([
      ['blkio.bfq.weight', blockIO.weight, true],
      ['blkio.bfq.leaf_weight', blockIO.leafWeight, true],
    ]),
    ...(blockIO.weightDevice ?? []).flatMap((one) =>
      present([['blkio.bfq.weight_device', one.weight && `${one.major}:${one.minor} ${one.weight}`, true]]),
    ),
    ...throttles('blkio.throttle.read_bps_device', blockIO.throttleReadBpsDevice),
    ...throttles('blkio.throttle.write_bps_device', blockIO.throttleWriteBpsDevice),
    ...throttles('blkio.throttle.read_iops_device', blockIO.throttleReadIOPSDevice),
    ...throttles('blkio.throttle.write_iops_device', blockIO.throttleWriteIOPSDevice),
  ],
  hugetlb: ({ hugepageLimits = [] }) =>
    hugepageLimits.map((one): Line => [`hugetlb.${one.pageSize}.limit_in_bytes`, one.limit]),
  net_cls: ({ network = {} }) => present([['net_cls.classid', network.classID]]),
  net_prio: ({ network = {} }) =>
    (network.priorities ?? []).map((one): Line => ['net_prio.ifpriomap', `${one.name} ${one.priority}`]),
  rdma: ({ rdma = {} }) => Object.entries(rdma).map(([device, one]): Line => ['rdma.max', rdmaLine(device, one)]),
};

/** The line of rdma.max, the same in both versions. */
export function rdmaLine(device: string, one: { hcaHandles?: number; hcaObjects?: number }): string {
  const parts = present([
    ['hca_handle', one.hcaHandles],
    ['hca_object', one.hcaObjects],
  ]).map(([key, value]) => `${key}=${value}`);
  return [device, ...parts].join(' ');
}

/** What pids.max is told: runtime-spec counts 0 and less as no limit. */
export const limit = (value: number | bigint | undefined) =>
  value === undefined ? undefined : value > 0 ? value : 'max';

function present(lines: Line[]): Line[] {
  return lines.filter(([, value]) => value !== undefined);
}

function throttles(file: string, list: { major: number; minor: number; rate?: number | bigint }[] = []): Line[] {
  return list.map((one): Line => [file, `${one.major}:${one.minor} ${one.rate ?? 0}`]);
}

/** Each rule a write; what is already denied is not denied again. */
function deviceLines(rules: DeviceRule[]): Line[] {
  const lines: Line[] = [];
  let isClosed = false;
  let allowed: DeviceRule[] = [];
  for (const rule of rules) {
    const text = deviceRuleLine(rule);
    if (text === 'a') {
      isClosed = !rule.allow;
      allowed = [];
    } else if (rule.allow) {
      if (!isClosed) continue;
      allowed.push(rule);
    } else if (isClosed && !allowed.some((other) => overlaps(other, rule))) {
      continue;
    }
    lines.push([rule.allow ? 'devices.allow' : 'devices.deny', text]);
  }
  return lines;
}

function overlaps(a: DeviceRule, b: DeviceRule): boolean {
  const same = (x: number | undefined, y: number | undefined) =>
    x === undefined || y === undefined || x < 0 || y < 0 || x === y;
  const shares = [...(a.access ?? 'rwm')].some((letter) => (b.access ?? 'rwm').includes(letter));
  return a.type === b.type && same(a.major, b.major) && same(a.minor, b.minor) && shares;
}
