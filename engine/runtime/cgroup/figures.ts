/** The forms in which cgroup files write figures. */
import { readdirSync } from 'node:fs';
import type { CgroupStats, MemoryEntry } from '../../../schemas/cgroup-stats.ts';
import type { Int64 } from '../../../schemas/oci-runtime.ts';
import { read } from './files.ts';

/** Exact: a bigint beyond Number.MAX_SAFE_INTEGER. `max` is 2⁶⁴ − 1, what is no number 0. */
export function figure(text: string | undefined): Int64 {
  const word = text?.trim() ?? '';
  if (word === 'max') return 2n ** 64n - 1n;
  if (!/^-?\d+$/.test(word)) return 0;
  const number = Number(word);
  return Number.isSafeInteger(number) ? number : BigInt(word);
}

/** A file of one figure. */
export const figureOf = (file: string): Int64 => figure(read(file));

/** A file of lines `key figure`. */
export function figuresOf(file: string): Record<string, Int64> {
  const found: Record<string, Int64> = {};
  for (const line of read(file).split('\n')) {
    const [key, value] = line.split(' ');
    if (key && value !== undefined) found[key] = figure(value);
  }
  return found;
}

/** Any unit times a thousand: microseconds as nanoseconds. */
export const thousandfold = (value: Int64 | undefined): Int64 => figure(String(BigInt(value ?? 0) * 1000n));

/** Sum of two, exact. */
export const sum = (a: Int64, b: Int64): Int64 => figure(String(BigInt(a) + BigInt(b)));

/** `0-2,7` → 0, 1, 2, 7. */
export function numbersOf(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number);
      return Array.from({ length: to! - from! + 1 }, (_, at) => from! + at);
    });
}

/** Page sizes for which the directory has a file of the form `hugetlb.2MB.<suffix>`. */
export function pageSizes(directory: string, suffix: string): string[] {
  try {
    return readdirSync(directory)
      .map((name) => /^hugetlb\.([^.]+)\.(.+)$/.exec(name))
      .filter((match) => match?.[2] === suffix)
      .map((match) => match![1]!);
  } catch {
    return [];
  }
}

const entry = (): MemoryEntry => ({ limit: 0, usage: 0, max: 0, failcnt: 0 });

/** The figures of a container that has none. */
export function nothing(): CgroupStats {
  return {
    cpu: {
      usage: { total: 0, kernel: 0, user: 0 },
      throttling: { periods: 0, throttledPeriods: 0, throttledTime: 0 },
    },
    cpuset: {
      ...{ cpu_exclusive: 0, mem_hardwall: 0, mem_exclusive: 0, memory_migrate: 0, memory_spread_page: 0 },
      ...{ memory_spread_slab: 0, memory_pressure: 0, sched_load_balance: 0, sched_relax_domain_level: 0 },
    },
    memory: { cache: 0, usage: entry(), swap: entry(), kernel: entry(), kernelTCP: entry(), raw: {} },
    pids: { current: 0, limit: 0 },
    blkio: {},
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: [],
  };
}
