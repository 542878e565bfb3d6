/** Figures of cgroup v2 in v1's terms, as runc has them. Source: the kernel's admin-guide/cgroup-v2. */
import { existsSync } from 'node:fs';
import type { BlockEntry, CgroupStats, MemoryEntry, Pressure, PressureLine } from '../../../schemas/cgroup-stats.ts';
import { figure, figureOf, figuresOf, nothing, numbersOf, pageSizes, sum, thousandfold } from './figures.ts';
import { read } from './files.ts';
import { pidsLimit } from './stats-v1.ts';

/** Whatever the cgroup has files for; zeroes for the rest. */
export function v2Stats(directory: string): CgroupStats {
  const stats = nothing();
  stats.cpu = cpu(directory);
  if (existsSync(`${directory}/memory.current`)) stats.memory = memory(directory);
  stats.cpuset.cpus = numbersOf(read(`${directory}/cpuset.cpus.effective`));
  stats.cpuset.mems = numbersOf(read(`${directory}/cpuset.mems.effective`));
  stats.pids = { current: Number(figureOf(`${directory}/pids.current`)), limit: pidsLimit(directory) };
  stats.blkio = { ...io(read(`${directory}/io.stat`)), ...psi(`${directory}/io.pressure`) };
  for (const size of pageSizes(directory, 'current')) {
    const reserved = `${directory}/hugetlb.${size}.rsvd.current`;
    stats.hugetlb[size] = {
      usage: figureOf(existsSync(reserved) ? reserved : `${directory}/hugetlb.${size}.current`),
      // v2 keeps no highest figure.
      max: 0,
      failcnt: figuresOf(`${directory}/hugetlb.${size}.events`).max ?? 0,
    };
  }
  return stats;
}

function cpu(directory: string): CgroupStats['cpu'] {
  const stat = figuresOf(`${directory}/cpu.stat`);
  return {
    usage: {
      total: thousandfold(stat.usage_usec),
      kernel: thousandfold(stat.system_usec),
      user: thousandfold(stat.user_usec),
    },
    throttling: {
      periods: stat.nr_periods ?? 0,
      throttledPeriods: stat.nr_throttled ?? 0,
      throttledTime: thousandfold(stat.throttled_usec),
    },
    ...psi(`${directory}/cpu.pressure`),
  };
}

function memory(directory: string): CgroupStats['memory'] {
  const { memory: stats } = nothing();
  const entry = (name: string): MemoryEntry => ({
    limit: figureOf(`${directory}/${name}.max`),
    usage: figureOf(`${directory}/${name}.current`),
    max: figureOf(`${directory}/${name}.peak`),
    failcnt: figuresOf(`${directory}/${name}.events`).max ?? 0,
  });
  stats.raw = figuresOf(`${directory}/memory.stat`);
  stats.cache = stats.raw.file ?? 0;
  stats.usage = entry('memory');
  stats.kernel.usage = stats.raw.kernel ?? 0;
  stats.kernelTCP.usage = stats.raw.sock ?? 0;
  if (existsSync(`${directory}/memory.swap.current`)) {
    const alone = entry('memory.swap');
    const unlimited = figure('max');
    const hasLimit = alone.limit !== unlimited && stats.usage.limit !== unlimited;
    stats.swap = {
      limit: hasLimit ? sum(alone.limit, stats.usage.limit) : unlimited,
      usage: sum(alone.usage, stats.usage.usage),
      max: sum(alone.max, stats.usage.max),
      failcnt: alone.failcnt,
    };
  }
  return { ...stats, ...psi(`${directory}/memory.pressure`) };
}

/** Lines `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function io(text: string): CgroupStats['blkio'] {
  const bytes: BlockEntry[] = [];
  const operations: BlockEntry[] = [];
  for (const line of text.split('\n')) {
    const [device, ...pairs] = line.split(' ');
    const [major, minor] = (device ?? '').split(':').map(Number);
    if (minor === undefined) continue;
    for (const [key, value] of pairs.map((pair) => pair.split('='))) {
      const op = ioOperations[key?.[0] ?? ''];
      const list = key?.endsWith('bytes') ? bytes : key?.endsWith('ios') ? operations : undefined;
      if (op && list) list.push({ major: major!, minor, op, value: figure(value) });
    }
  }
  return { ioServiceBytesRecursive: bytes, ioServicedRecursive: operations };
}

const ioOperations: Record<string, string> = { r: 'Read', w: 'Write', d: 'Discard' };

/** Nothing where the kernel does not count pressure. */
function psi(file: string): { psi?: Pressure } {
  const found: Pressure = {};
  for (const line of read(file).split('\n')) {
    const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line);
    if (!match) continue;
    const [, kind, avg10, avg60, avg300, total] = match;
    const read: PressureLine = {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      total: figure(total),
    };
    found[kind as 'some' | 'full'] = read;
  }
  return found.some ? { psi: found } : {};
}
