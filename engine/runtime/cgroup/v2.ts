/** `linux.resources` as files of cgroup v2. Source: the kernel's admin-guide/cgroup-v2; runtime-spec config-linux.md. */
import type { BlockIo, CpuResources, MemoryResources, Resources, Throttle } from '../../../schemas/oci-runtime.ts';
import type { Write } from './files.ts';
import { pageSize } from './requirements.ts';
import { asked, type Line, pidsMax, rdmaLines, toWrite } from './v1.ts';

/** Content of a file of the cgroup as it is now; '' for one that is still to be made. */
export type Present = (file: string) => string;

/** What a container's cgroup in `directory` is told; resources whose controller is not enabled are left out. */
export function v2Writes(
  resources: Resources,
  controllers: string[],
  directory: string,
  present: Present = () => '',
): Write[] {
  return [
    ...Object.entries(translators)
      .filter(([name]) => controllers.includes(name))
      .flatMap(([, translate]) => translate(resources, present)),
    // Last: they have the last word over what the others say.
    ...unifiedLines(resources.unified ?? {}),
  ].map((line) => toWrite(line, directory));
}

const translators: Record<string, (resources: Resources, present: Present) => Line[]> = {
  memory: ({ memory = {} }, present) => memoryLines(memory, present),
  cpu: ({ cpu = {} }, present) => cpuLines(cpu, present),
  cpuset: ({ cpu = {} }) =>
    asked([
      ['cpuset.cpus', cpu.cpus, 'cpu.cpus'],
      ['cpuset.mems', cpu.mems, 'cpu.mems'],
    ]),
  pids: ({ pids = {} }) => asked([['pids.max', pidsMax(pids.limit), 'pids.limit']]),
  io: ({ blockIO = {} }) => blockLines(blockIO),
  hugetlb: ({ hugepageLimits = [] }) =>
    hugepageLimits.flatMap((one): Line[] => [
      [`hugetlb.${pageSize(one)}.max`, one.limit, 'hugepageLimits'],
      [`hugetlb.${one.pageSize}.rsvd.max`, one.limit, 'hugepageLimits', 'mayLack'],
    ]),
  rdma: ({ rdma = {} }) => rdmaLines(rdma),
};

function memoryLines({ limit, swap, reservation }: MemoryResources, present: Present): Line[] {
  const max = (value: number | bigint | undefined) => (value !== undefined && value < 0 ? 'max' : value);
  return asked([
    ['memory.max', max(limit), 'memory.limit'],
    ['memory.swap.max', swapAlone(swap, limit, present), 'memory.swap', 'mayLack'],
    ['memory.low', max(reservation), 'memory.reservation'],
  ]);
}

/** runtime-spec counts memory and swap together, v2 swap alone. A string, since here 0 is a limit. */
function swapAlone(swap: MemoryResources['swap'], limit: MemoryResources['limit'], present: Present) {
  if (!swap) return undefined;
  if (swap < 0) return 'max';
  const memory = limit || present('memory.max').trim();
  if (memory === '' || memory === 'max' || Number(memory) < 0) return undefined;
  const alone = BigInt(swap) - BigInt(memory);
  return String(alone < 0n ? 0n : alone);
}

function cpuLines(cpu: CpuResources, present: Present): Line[] {
  return asked([
    // An idle group takes no weight: out of it before, into it behind.
    ['cpu.idle', cpu.idle === 0 ? 0 : undefined, 'cpu.idle'],
    ['cpu.weight', cpu.shares ? cpuWeight(cpu.shares) : undefined, 'cpu.shares'],
    ['cpu.max', cpuMax(cpu, present), cpu.quota ? 'cpu.quota' : 'cpu.period'],
    ['cpu.max.burst', cpu.burst, 'cpu.burst', cpu.burst ? undefined : 'mayLack'],
    ['cpu.idle', cpu.idle || undefined, 'cpu.idle'],
  ]);
}

/** What is not given stays as it is; a hundred milliseconds where it is nothing yet. */
function cpuMax({ quota, period }: CpuResources, present: Present): string | undefined {
  if (!quota && !period) return undefined;
  const [currentQuota = 'max', currentPeriod = '100000'] = present('cpu.max').trim().split(' ').filter(Boolean);
  return `${quota ? (quota < 0 ? 'max' : quota) : currentQuota} ${period || currentPeriod}`;
}

/**
 * v1 shares (2–262144, 1024 by default) as v2 weight (1–10000, 100 by default): the curve through (2, 1), (1024, 100)
 * and (262144, 10000) that the runtimes agreed on, so that defaults stay defaults.
 */
export function cpuWeight(shares: number): number {
  const l = Math.log2(Math.min(Math.max(shares, 2), 262_144));
  return Math.ceil(10 ** (((l + 125) * l) / 612 - 7 / 34));
}

/** blkio weight (10–1000) as io.weight (1–10000), linear, as the runtimes have it. */
export const ioWeight = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990);

function blockLines(io: BlockIo): Line[] {
  const weights = (io.weightDevice ?? []).filter((one) => one.weight);
  return [
    ...asked([['io.bfq.weight', io.weight, 'blockIO.weight', { file: 'io.weight', value: ioWeight(io.weight ?? 10) }]]),
    ...weights.map((one): Line => {
      const value = (weight: number) => `${one.major}:${one.minor} ${weight}`;
      const otherwise = { file: 'io.weight', value: value(ioWeight(one.weight!)) };
      return ['io.bfq.weight', value(one.weight!), 'blockIO.weightDevice', otherwise];
    }),
    ...ioMax('rbps', io.throttleReadBpsDevice, 'throttleReadBpsDevice'),
    ...ioMax('wbps', io.throttleWriteBpsDevice, 'throttleWriteBpsDevice'),
    ...ioMax('riops', io.throttleReadIOPSDevice, 'throttleReadIOPSDevice'),
    ...ioMax('wiops', io.throttleWriteIOPSDevice, 'throttleWriteIOPSDevice'),
  ];
}

function ioMax(key: string, list: Throttle[] = [], property: string): Line[] {
  const line = (one: Throttle) => `${one.major}:${one.minor} ${key}=${one.rate || 'max'}`;
  return list.map((one): Line => ['io.max', line(one), `blockIO.${property}`]);
}

/** A line each: io.max and its like take one device at a time. */
function unifiedLines(unified: Record<string, string>): Line[] {
  return Object.entries(unified).flatMap(([file, text]) =>
    text
      .split('\n')
      .filter(Boolean)
      .map((value): Line => [file, value, `unified["${file}"]`]),
  );
}
