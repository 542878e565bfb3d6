/** `linux.resources` as files of cgroup v2. Source: the kernel's admin-guide/cgroup-v2; runtime-spec config-linux.md. */
import type { CpuResources, MemoryResources, Resources, Throttle } from '../../../schemas/oci-runtime.ts';
import type { Write } from './plan.ts';
import { limit, rdmaLine } from './v1.ts';

/** What a container's cgroup in `directory` is told; resources whose controller is not enabled are left out. */
export function v2Writes(resources: Resources, controllers: string[], directory: string): Write[] {
  const lines = [
    ...Object.entries(translators)
      .filter(([name]) => controllers.includes(name))
      .flatMap(([, translate]) => translate(resources)),
    ...Object.entries(resources.unified ?? {}),
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([file, value, isOptional]) => ({
      file: `${directory}/${file}`,
      value: String(value),
      ...(isOptional ? { isOptional: true } : {}),
    }));
}

type Line = [file: string, value: unknown, isOptional?: boolean];

const translators: Record<string, (resources: Resources) => Line[]> = {
  memory: ({ memory = {} }) => memoryLines(memory),
  cpu: ({ cpu = {} }) => cpuLines(cpu),
  cpuset: ({ cpu = {} }) => [
    ['cpuset.cpus', cpu.cpus || undefined],
    ['cpuset.mems', cpu.mems || undefined],
  ],
  pids: ({ pids = {} }) => [['pids.max', limit(pids.limit)]],
  io: ({ blockIO = {} }) => [
    ['io.bfq.weight', blockIO.weight, true],
    ...ioMax('rbps', blockIO.throttleReadBpsDevice),
    ...ioMax('wbps', blockIO.throttleWriteBpsDevice),
    ...ioMax('riops', blockIO.throttleReadIOPSDevice),
    ...ioMax('wiops', blockIO.throttleWriteIOPSDevice),
  ],
  hugetlb: ({ hugepageLimits = [] }) => hugepageLimits.map((one): Line => [`hugetlb.${one.pageSize}.max`, one.limit]),
  rdma: ({ rdma = {} }) => Object.entries(rdma).map(([device, one]): Line => ['rdma.max', rdmaLine(device, one)]),
};

function memoryLines({ limit: bytes, swap, reservation }: MemoryResources): Line[] {
  const max = (value: number | bigint) => (value < 0 ? 'max' : value);
  // runtime-spec counts memory and swap together, v2 swap alone.
  const alone =
    swap === undefined
      ? undefined
      : swap < 0
        ? 'max'
        : bytes !== undefined && bytes >= 0
          ? BigInt(swap) - BigInt(bytes)
          : undefined;
  return [
    ['memory.max', bytes === undefined ? undefined : max(bytes)],
    ['memory.swap.max', alone, true],
    ['memory.low', reservation === undefined ? undefined : max(reservation)],
  ];
}

function cpuLines(cpu: CpuResources): Line[] {
  const quota = cpu.quota === undefined || cpu.quota <= 0 ? 'max' : cpu.quota;
  const hasMax = cpu.quota !== undefined || cpu.period !== undefined;
  return [
    ['cpu.weight', cpu.shares ? cpuWeight(cpu.shares) : undefined],
    ['cpu.max', hasMax ? `${quota} ${cpu.period || 100_000}` : undefined],
    ['cpu.max.burst', cpu.burst],
    ['cpu.idle', cpu.idle],
  ];
}

/**
 * v1 shares (2–262144, 1024 by default) as v2 weight (1–10000, 100 by default): the curve through (2, 1), (1024, 100)
 * and (262144, 10000) that the runtimes agreed on, so that defaults stay defaults.
 */
export function cpuWeight(shares: number): number {
  const l = Math.log2(Math.min(Math.max(shares, 2), 262_144));
  return Math.ceil(10 ** (((l + 125) * l) / 612 - 7 / 34));
}

function ioMax(key: string, list: Throttle[] = []): Line[] {
  return list.map((one): Line => ['io.max', `${one.major}:${one.minor} ${key}=${one.rate || 'max'}`]);
}
