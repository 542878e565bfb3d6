/** The shim's status: a small text file it replaces on every change, and the same text in its status frames. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { ContainerState, ContainerStatus, Health } from '../../schemas/container.ts';
import type { KernelPort } from '../../schemas/kernel.ts';

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

export const errnoName = (number: number): string => errnoNames.get(number) ?? `errno ${number}`;

export interface Warning {
  step: string;
  errno: string;
  subject: string;
}

export interface ShimStatus extends ContainerStatus {
  warnings: Warning[];
}

const nothing: ShimStatus = {
  state: 'created',
  pid: 0,
  shimPid: 0,
  exitCode: 0,
  isOomKilled: false,
  health: 'none',
  failingStreak: 0,
  probeOutput: '',
  probeExitCode: 0,
  restartCount: 0,
  startedAt: '',
  finishedAt: '',
  isStopRequested: false,
  warnings: [],
};

const iso = (ns: string | undefined): string =>
  !ns || ns === '0' ? '' : new Date(Number(BigInt(ns) / 1_000_000n)).toISOString();

/** Reads the text of native/shim/status.cc: `key value` lines, then the probe's output as it came. */
export function parseStatus(text: string): ShimStatus {
  const end = text.indexOf('\nprobe_output\n');
  const head = end < 0 ? text : text.slice(0, end);
  const probeOutput = end < 0 ? '' : text.slice(end + '\nprobe_output\n'.length);
  const values = new Map<string, string>();
  const warnings: Warning[] = [];
  for (const line of head.split('\n')) {
    const space = line.indexOf(' ');
    const key = line.slice(0, space);
    const value = line.slice(space + 1);
    if (key === 'warning') {
      const [step = '', errno = '0', subject = ''] = value.split('\t');
      warnings.push({ step, errno: errnoName(Number(errno)), subject });
    } else values.set(key, value);
  }
  const number = (key: string) => Number(values.get(key) ?? 0);
  const step = values.get('failure_step');
  return {
    state: (values.get('state') ?? 'created') as ContainerState,
    pid: number('pid'),
    shimPid: number('shim'),
    exitCode: number('exit_code'),
    isOomKilled: number('oom_killed') === 1,
    health: (values.get('health') ?? 'none') as Health,
    failingStreak: number('failing_streak'),
    probeOutput,
    probeExitCode: number('probe_exit'),
    restartCount: number('restarts'),
    startedAt: iso(values.get('started')),
    finishedAt: iso(values.get('finished')),
    isStopRequested: number('stop_requested') === 1,
    ...(step
      ? {
          failure: {
            step,
            errno: errnoName(number('failure_errno')),
            subject: values.get('failure_subject') ?? '',
          },
        }
      : {}),
    warnings,
  };
}

/** Whether the shim of this run directory lives: it holds a lock on the directory for as long as it does. */
export function isShimAlive(kernel: KernelPort, runDir: string): boolean {
  let fd: number;
  try {
    fd = openSync(runDir, 'r');
  } catch {
    return false;
  }
  try {
    return !kernel.filesystem.tryFlock(fd, 'shared');
  } finally {
    closeSync(fd);
  }
}

/**
 * Resolves when no shim holds the run directory: with it everything it held is free again, published ports above all. The
 * kernel tells; nothing polls.
 */
export async function shimGone(kernel: KernelPort, runDir: string): Promise<void> {
  let fd: number;
  try {
    fd = openSync(runDir, 'r');
  } catch {
    return;
  }
  try {
    await kernel.filesystem.flock(fd, 'shared', true);
  } finally {
    closeSync(fd);
  }
}

/** What is known of a container: the shim's last word, corrected where the shim is gone. */
export function readStatus(kernel: KernelPort, runDir: string): ShimStatus {
  let text: string;
  try {
    text = readFileSync(`${runDir}/status`, 'utf8');
  } catch {
    return { ...nothing };
  }
  const status = parseStatus(text);
  const shouldLive = status.state === 'running' || status.state === 'restarting' || status.pid !== 0;
  if (!shouldLive || isShimAlive(kernel, runDir)) return status;
  // It was waiting to start when its monitor died: as good as never started.
  if (status.state === 'created') return { ...status, pid: 0 };
  return { ...status, state: 'dead', pid: 0, exitCode: status.exitCode || 137, health: 'none' };
}
