/**
 * The program a shim is handed: what to monitor and how, and the steps of its container's processes. Readable as data
 * (`Step[]`) until it is encoded; the shim decides nothing.
 */
import { code, encodeProgram, encodeSteps, type Step } from './encoder.ts';
import { type ContainerProcess, containerSteps, type ExecProcess, execSteps } from './process.ts';

export { execSteps } from './process.ts';

export interface MonitorSettings {
  /** Directory of the control socket and the status. */
  runDir: string;
  /** Directory of the log. */
  logDir: string;
  /** Bytes and files of the rotated log; `files` 0 keeps none. */
  log: { size: number; files: number };
  /** Where lines go besides; nowhere where absent. */
  forward?: ForwardSettings | undefined;
  restart: RestartSettings;
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
export interface RestartSettings {
  policy: 'no' | 'on-failure' | 'always';
  /** 0: no limit. */
  limit: number;
  /** Before the first restart; doubles with each, up to `longestMs`. */
  delayMs: number;
  longestMs: number;
  /** A run of this length makes the count towards the limit begin anew; 0: none does. */
  windowMs: number;
}

/** A log daemon that gets each line, in a message of head, time, middle, line and tail (native/shim/forward.h). */
export interface ForwardSettings {
  type: 'datagram' | 'stream';
  /** `struct sockaddr` */
  address: Uint8Array;
  time: 'none' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';
  /** Seconds east of Greenwich, for RFC 3164. */
  zone: number;
  stdout: Uint8Array;
  stderr: Uint8Array;
  middle: Uint8Array;
  tail: Uint8Array;
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

const times = ['none', 'rfc3164', 'rfc5424', 'rfc5424micro'];

const forwardStep = (to: ForwardSettings): Step => [
  'forward',
  to.type === 'stream' ? 1 : 2,
  to.address,
  times.indexOf(to.time),
  { u64: to.zone },
  to.stdout,
  to.stderr,
  to.middle,
  to.tail,
];

const policies = { no: 0, 'on-failure': 1, always: 2 };

/** A shim's program with other endpoints: what `network connect` changes of a container that is there. */
export function withEndpoints(program: Uint8Array, endpoints: MonitorSettings['endpoints']): Uint8Array {
  const bytes = Buffer.from(program);
  const kept = [bytes.subarray(0, 8)];
  // Steps are u16 code, u16 zero, u32 length, body (native/shim/program.h).
  for (let at = 8; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    if (bytes.readUInt16LE(at) !== code.endpoint) kept.push(bytes.subarray(at, end));
    at = end;
  }
  const steps = endpoints.map(({ table, slot }): Step => ['endpoint', table, slot]);
  return Buffer.concat([kept[0]!, encodeSteps(steps), ...kept.slice(1)]);
}

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
      { u64: restart.longestMs },
      { u64: restart.windowMs },
      settings.stopSignal,
      { u64: settings.stopGraceMs },
    ],
    ['stdio', Number(settings.hasStdin), Number(settings.hasTerminal)],
    ['monitorCgroup', monitor.tasks, monitor.unified ?? ''],
    ['cgroup', settings.oomFile],
  ];
  if (settings.forward) steps.push(forwardStep(settings.forward));
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
