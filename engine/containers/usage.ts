/** What a container uses now, as `docker stats` counts it. Source: docker's reference of `docker stats`; cgroups(7). */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { ContainerRecord, ContainerStatus } from '../../schemas/container.ts';
import type { Host } from '../host.ts';
import { cgroupStats } from '../runtime/cgroup/stats.ts';
import { containerCgroupsPath } from './cgroup.ts';

export interface Usage {
  /** ms of a clock that never goes back. */
  at: number;
  /** ns of processor time since it began. */
  cpu: number;
  /** Bytes, without what the kernel can drop at once. */
  memory: number;
  /** Bytes: its own limit, else the machine's memory. */
  memoryLimit: number;
  /** Bytes since it began, of all interfaces but the loopback. */
  received: number;
  sent: number;
  read: number;
  written: number;
  processes: number;
}

/** Undefined where it does not run, or ends meanwhile. */
export function usageOf(host: Host, record: ContainerRecord, { pid }: ContainerStatus): Usage | undefined {
  if (pid === 0) return undefined;
  try {
    const { cpu, memory, blkio, pids } = cgroupStats(containerCgroupsPath(host, record));
    const raw = memory.raw ?? {};
    const droppable = Number(raw.total_inactive_file ?? raw.inactive_file ?? 0);
    const whole = Number(memory.usage?.usage ?? 0);
    const limit = Number(memory.usage?.limit ?? 0);
    const bytes = (wanted: string) =>
      (blkio.ioServiceBytesRecursive ?? [])
        .filter(({ op }) => op?.toLowerCase() === wanted)
        .reduce((sum, { value }) => sum + Number(value), 0);
    return {
      at: performance.now(),
      cpu: Number(cpu.usage?.total ?? 0),
      memory: droppable < whole ? whole - droppable : whole,
      memoryLimit: limit > 0 && limit < totalmem() ? limit : totalmem(),
      ...network(pid),
      read: bytes('read'),
      written: bytes('write'),
      processes: Number(pids.current ?? 0),
    };
  } catch {
    return undefined;
  }
}

/** proc_pid_net(5), dev: bytes received are the first column, bytes sent the ninth. */
function network(pid: number): { received: number; sent: number } {
  const total = { received: 0, sent: 0 };
  for (const line of readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n').slice(2)) {
    const [name = '', figures = ''] = line.split(':');
    if (figures === '' || name.trim() === 'lo') continue;
    const columns = figures.trim().split(/\s+/).map(Number);
    total.received += columns[0] ?? 0;
    total.sent += columns[8] ?? 0;
  }
  return total;
}
