/** What a container uses, in the JSON of `runc events --stats`, as its readers (containerd, cAdvisor) expect it. */
import type { Int64 } from './oci-runtime.ts';

export interface CgroupStats {
  cpu: {
    /** Nanoseconds; a figure per processor in v1 alone. */
    usage: {
      total: Int64;
      percpu?: Int64[];
      percpu_kernel?: Int64[];
      percpu_user?: Int64[];
      kernel: Int64;
      user: Int64;
    };
    /** Periods of the quota, and nanoseconds. */
    throttling: { periods: Int64; throttledPeriods: Int64; throttledTime: Int64 };
    psi?: Pressure;
  };
  cpuset: {
    cpus?: number[];
    cpu_exclusive: number;
    mems?: number[];
    mem_hardwall: number;
    mem_exclusive: number;
    memory_migrate: number;
    memory_spread_page: number;
    memory_spread_slab: number;
    memory_pressure: number;
    sched_load_balance: number;
    sched_relax_domain_level: number;
  };
  /** Bytes. `swap` counts memory and swap together, also for v2. */
  memory: {
    cache: Int64;
    usage: MemoryEntry;
    swap: MemoryEntry;
    kernel: MemoryEntry;
    kernelTCP: MemoryEntry;
    /** memory.stat. */
    raw: Record<string, Int64>;
    psi?: Pressure;
  };
  /** `limit` 0 is none. */
  pids: { current: number; limit: Int64 };
  blkio: {
    ioServiceBytesRecursive?: BlockEntry[];
    ioServicedRecursive?: BlockEntry[];
    ioQueueRecursive?: BlockEntry[];
    ioServiceTimeRecursive?: BlockEntry[];
    ioWaitTimeRecursive?: BlockEntry[];
    ioMergedRecursive?: BlockEntry[];
    ioTimeRecursive?: BlockEntry[];
    sectorsRecursive?: BlockEntry[];
    psi?: Pressure;
  };
  /** By page size: `2MB`. Bytes. */
  hugetlb: Record<string, { usage: Int64; max: Int64; failcnt: Int64 }>;
  intel_rdt: object;
  network_interfaces: object[];
}

/** Without a limit, `limit` is the greatest number the kernel has: 2⁶⁴ − 1 in v2, a little below 2⁶³ in v1. */
export interface MemoryEntry {
  limit: Int64;
  usage: Int64;
  max: Int64;
  failcnt: Int64;
}

export interface BlockEntry {
  major: number;
  minor: number;
  /** `Read`, `Write`; v1 also `Sync`, `Async`, `Discard`, `Total`. */
  op: string;
  value: Int64;
}

/** Pressure stall information: percent of the time, and `total` in microseconds. */
export interface Pressure {
  some?: PressureLine;
  full?: PressureLine;
}

export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  total: Int64;
}
