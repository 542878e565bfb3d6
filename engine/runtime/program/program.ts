/**
 * The program a shim is handed: what to monitor and how, and the steps of its container's processes. Readable as data
 * (`Step[]`) until it is encoded; the shim decides nothing.
 */
import { encodeProgram, encodeSteps, type Step } from './encoder.ts';
import { type ContainerProcess, containerSteps, type ExecProcess, execSteps } from './process.ts';

export { execSteps } from './process.ts';

export interface MonitorSettings {
  /** Directory of the control socket and the status. */
  runDir: string;
  /** Directory of the log. */
  logDir: string;
  /** Bytes and files of the rotated log; `files` 0 keeps none. */
  log: { size: number; files: number };
  restart: { policy: 'no' | 'on-failure' | 'always'; limit: number; delayMs: number };
  stopSignal: number;
  stopGraceMs: number;
  hasStdin: boolean;
  hasTerminal: boolean;
  /** Index of the network namespace among the descriptors. */
  network: number | undefined;
  dns: { upstreams: string[]; forwards: boolean; links?: Link[] } | undefined;
  /** Table of names and slot of each endpoint. */
  endpoints: { table: string; slot: number }[];
  /** Cgroups of the monitor itself. */
  monitor: { tasks: string[]; unified?: string | undefined };
  /** The file whose `oom_kill` line counts; empty for none. */
  oomFile: string;
  health: HealthSettings | undefined;
}

/** A name that one container has for another name of its networks. */
export interface Link {
  alias: string;
  target: string;
}

/** Durations in milliseconds. */
export interface HealthSettings {
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
  probe: ExecProcess;
}

const policies = { no: 0, 'on-failure': 1, always: 2 };

/** The steps of a whole shim. */
export function shimSteps(settings: MonitorSettings, container: ContainerProcess): Step[] {
  const { log, restart, health, dns, monitor } = settings;
  const steps: Step[] = [
    ['identity', settings.runDir, settings.logDir],
    ['log', { u64: log.size }, log.files],
    [
      'restart',
      policies[restart.policy],
      restart.limit,
      { u64: restart.delayMs },
      settings.stopSignal,
      { u64: settings.stopGraceMs },
    ],
    ['stdio', Number(settings.hasStdin), Number(settings.hasTerminal)],
    ['monitorCgroup', monitor.tasks, monitor.unified ?? ''],
    ['cgroup', settings.oomFile],
  ];
  if (settings.network !== undefined) steps.push(['network', settings.network]);
  for (const { table, slot } of settings.endpoints) steps.push(['endpoint', table, slot]);
  if (dns) steps.push(['dns', Number(dns.forwards), dns.upstreams]);
  for (const { alias, target } of dns?.links ?? []) steps.push(['link', alias, target]);
  if (health) {
    const { intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries, probe } = health;
    const times = [intervalMs, timeoutMs, startPeriodMs, startIntervalMs].map((ms) => ({ u64: Math.round(ms) }));
    steps.push(['health', ...times, retries, encodeSteps(execSteps(probe))]);
  }
  steps.push(['process', encodeSteps(containerSteps(container))]);
  return steps;
}

/** What the shim is spawned with. */
export const encodeShim = (settings: MonitorSettings, container: ContainerProcess): Uint8Array =>
  encodeProgram(shimSteps(settings, container));

/** What an exec request carries. */
export const encodeExec = (request: ExecProcess): Uint8Array => encodeProgram(execSteps(request));
