/** The processes of a container as `ps -ef` lists them. Source: proc_pid_stat(5), proc_pid_cmdline(5). */
import { readFileSync } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Host } from '../host.ts';
import { cgroupProcesses } from '../runtime/cgroup/processes.ts';
import { containerCgroupsPath } from './cgroup.ts';

export interface ListedProcess {
  /** The name that the host gives its user, else the number. */
  user: string;
  /** Of the host. */
  pid: number;
  ppid: number;
  /** Processor time over the time it has lived, in percent, whole. */
  usage: number;
  /** ms since the epoch. */
  startedAt: number;
  /** `pts/0`; `?` for none. */
  terminal: string;
  /** Seconds of processor time, whole. */
  seconds: number;
  command: string;
}

/** USER_HZ: the unit of times in /proc on every architecture of ours. */
const ticks = 100;

/** In order of pid. A process that ends meanwhile is left out. What it calls itself is its own to choose. */
export function processesOf(host: Host, record: ContainerRecord): ListedProcess[] {
  const users = userNames(read('/etc/passwd') ?? '');
  const bootedAt = Date.now() - Number((read('/proc/uptime') ?? '0').split(' ')[0]) * 1000;
  const pids = cgroupProcesses(containerCgroupsPath(host, record)).sort((a, b) => a - b);
  return pids.flatMap((pid) => one(pid, users, bootedAt) ?? []);
}

function one(pid: number, users: Map<string, string>, bootedAt: number): ListedProcess | undefined {
  const [stat, status, line] = ['stat', 'status', 'cmdline'].map((file) => read(`/proc/${pid}/${file}`));
  if (stat === undefined || status === undefined) return undefined;
  // The name stands in brackets and may have brackets itself.
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]);
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? '';
  const seconds = (field(14) + field(15)) / ticks;
  const startedAt = bootedAt + (field(22) / ticks) * 1000;
  const lived = Math.max(1, (Date.now() - startedAt) / 1000);
  return {
    user: users.get(uid) ?? uid,
    pid,
    ppid: field(4),
    usage: Math.min(99, Math.floor((seconds / lived) * 100)),
    startedAt,
    terminal: terminalName(field(7)),
    seconds: Math.floor(seconds),
    command: line ? line.replace(/\0+$/, '').replaceAll('\0', ' ') : `[${name}]`,
  };
}

/** Numbers of Documentation/admin-guide/devices.txt: 136 to 143 are pseudo terminals, 4 the console's. */
function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 ? `tty${minor}` : '?';
}

function userNames(passwd: string): Map<string, string> {
  const lines = passwd.split('\n').map((line) => line.split(':'));
  return new Map(lines.map(([name = '', , uid = '']) => [uid, name]));
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
