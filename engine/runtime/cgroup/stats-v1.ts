/** Figures of cgroup v1, controller by controller. Source: the kernel's admin-guide/cgroup-v1. */
import { existsSync } from 'node:fs';
import type { BlockEntry, CgroupStats, MemoryEntry } from '../../../schemas/cgroup-stats.ts';
import type { Int64 } from '../../../schemas/oci-runtime.ts';
import { figure, figureOf, figuresOf, numbersOf, pageSizes } from './figures.ts';
import { read } from './files.ts';

/** By controller: fills in what its directory for the container knows. */
export const v1Stats: Record<string, (directory: string, stats: CgroupStats) => void> = {
  cpu(directory, { cpu }) {
    const stat = figuresOf(`${directory}/cpu.stat`);
    cpu.throttling = {
      periods: stat.nr_periods ?? 0,
      throttledPeriods: stat.nr_throttled ?? 0,
      throttledTime: stat.throttled_time ?? 0,
    };
  },
  cpuacct(directory, { cpu }) {
    const perProcessor = read(`${directory}/cpuacct.usage_all`)
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) => line.split(' '));
    cpu.usage = {
      total: figureOf(`${directory}/cpuacct.usage`),
      percpu: read(`${directory}/cpuacct.usage_percpu`).trim().split(/\s+/).filter(Boolean).map(figure),
      percpu_kernel: perProcessor.map((line) => figure(line[2])),
      percpu_user: perProcessor.map((line) => figure(line[1])),
      kernel: figureOf(`${directory}/cpuacct.usage_sys`),
      user: figureOf(`${directory}/cpuacct.usage_user`),
    };
  },
  cpuset(directory, stats) {
    const of = (name: string) => Number(figureOf(`${directory}/cpuset.${name}`));
    stats.cpuset = {
      cpus: numbersOf(read(`${directory}/cpuset.cpus`)),
      cpu_exclusive: of('cpu_exclusive'),
      mems: numbersOf(read(`${directory}/cpuset.mems`)),
      mem_hardwall: of('mem_hardwall'),
      mem_exclusive: of('mem_exclusive'),
      memory_migrate: of('memory_migrate'),
      memory_spread_page: of('memory_spread_page'),
      memory_spread_slab: of('memory_spread_slab'),
      memory_pressure: of('memory_pressure'),
      sched_load_balance: of('sched_load_balance'),
      sched_relax_domain_level: of('sched_relax_domain_level'),
    };
  },
  memory(directory, { memory }) {
    const entry = (name: string): MemoryEntry => ({
      limit: figureOf(`${directory}/${name}.limit_in_bytes`),
      usage: figureOf(`${directory}/${name}.usage_in_bytes`),
      max: figureOf(`${directory}/${name}.max_usage_in_bytes`),
      failcnt: figureOf(`${directory}/${name}.failcnt`),
    });
    memory.raw = figuresOf(`${directory}/memory.stat`);
    memory.cache = memory.raw.cache ?? 0;
    memory.usage = entry('memory');
    memory.swap = entry('memory.memsw');
    memory.kernel = entry('memory.kmem');
    memory.kernelTCP = entry('memory.kmem.tcp');
  },
  pids(directory, stats) {
    stats.pids = { current: Number(figureOf(`${directory}/pids.current`)), limit: pidsLimit(directory) };
  },
  blkio(directory, { blkio }) {
    // The scheduler bfq counts for itself; what it does not handle the throttling counts.
    const lists = (kind: string): BlockEntry[] => {
      const bfq = entries(read(`${directory}/blkio.bfq.${kind}_recursive`));
      return bfq.length > 0 ? bfq : entries(read(`${directory}/blkio.throttle.${kind}_recursive`));
    };
    blkio.ioServiceBytesRecursive = lists('io_service_bytes');
    blkio.ioServicedRecursive = lists('io_serviced');
    for (const [key, file] of bfqFiles) {
      const found = entries(read(`${directory}/blkio.bfq.${file}_recursive`));
      if (found.length > 0) blkio[key] = found;
    }
  },
  hugetlb(directory, { hugetlb }) {
    for (const size of pageSizes(directory, 'usage_in_bytes')) {
      const reserved = `${directory}/hugetlb.${size}.rsvd`;
      const base = existsSync(`${reserved}.usage_in_bytes`) ? reserved : `${directory}/hugetlb.${size}`;
      hugetlb[size] = {
        usage: figureOf(`${base}.usage_in_bytes`),
        max: figureOf(`${base}.max_usage_in_bytes`),
        failcnt: figureOf(`${base}.failcnt`),
      };
    }
  },
};

const bfqFiles = [
  ['ioQueueRecursive', 'io_queued'],
  ['ioServiceTimeRecursive', 'io_service_time'],
  ['ioWaitTimeRecursive', 'io_wait_time'],
  ['ioMergedRecursive', 'io_merged'],
  ['ioTimeRecursive', 'time'],
  ['sectorsRecursive', 'sectors'],
] as const;

/** Lines `8:0 Read 4096` and, without an operation, `8:0 4096`. The sum at the end has no device. */
function entries(text: string): BlockEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+)(?: ([A-Za-z]+))? (\d+)$/.exec(line);
    if (!match) return [];
    return [{ major: Number(match[1]), minor: Number(match[2]), op: match[3] ?? '', value: figure(match[4]) }];
  });
}

/** 0 where there is none, in both versions. */
export function pidsLimit(directory: string): Int64 {
  const text = read(`${directory}/pids.max`).trim();
  return text === 'max' ? 0 : figure(text);
}
