/** What a container's shim is told to do, from the service and the image. */
import { mkdirSync, readFileSync } from 'node:fs';
import { parseBytes } from '../../planner/load/bytes.ts';
import { parseDuration } from '../../planner/load/duration.ts';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import type { Healthcheck, Service } from '../../schemas/project.ts';
import type { Hierarchies } from '../runtime/cgroup/cgroup.ts';
import type { MonitorSettings } from '../runtime/program/program.ts';

const defaultLog = { size: 20 * 1024 * 1024, files: 5 };

/** Milliseconds. */
export interface Health {
  test: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

const fromNanoseconds = (value: number | undefined) => (value ? value / 1e6 : undefined);
const fromText = (value: string | undefined) => (value === undefined ? undefined : parseDuration(value));

/** The probe of a container: the stack file's words over the image's, field by field, as docker does. */
export function healthOf(service: Healthcheck | undefined, image: ImageConfig): Health | undefined {
  const built = image.config?.Healthcheck ?? {};
  const test = service?.test?.length ? service.test : (built.Test ?? []);
  if (service?.disable || test.length === 0 || test[0] === 'NONE') return undefined;
  const shell = image.config?.Shell?.length ? image.config.Shell : ['/bin/sh', '-c'];
  const [kind, ...rest] = test;
  return {
    test: kind === 'CMD' ? rest : kind === 'CMD-SHELL' ? [...shell, rest.join(' ')] : [...shell, test.join(' ')],
    intervalMs: fromText(service?.interval) ?? fromNanoseconds(built.Interval) ?? 30_000,
    timeoutMs: fromText(service?.timeout) ?? fromNanoseconds(built.Timeout) ?? 30_000,
    startPeriodMs: fromText(service?.start_period) ?? fromNanoseconds(built.StartPeriod) ?? 0,
    startIntervalMs: fromText(service?.start_interval) ?? fromNanoseconds(built.StartInterval) ?? 5_000,
    retries: service?.retries ?? (built.Retries || 3),
  };
}

/** Docker's back-off: a tenth of a second, doubled up to a minute. */
const backOff = { delayMs: 100, longestMs: 60_000, windowMs: 0 };

/** Restart policy: `deploy.restart_policy`, or `restart` where that is not given, as docker compose has it. */
export function restartOf(service: Pick<Service, 'restart' | 'deploy'>): MonitorSettings['restart'] {
  const deploy = service.deploy?.restart_policy;
  if (deploy) {
    const { condition = 'any', max_attempts: limit = 0 } = deploy;
    const delayMs = fromText(deploy.delay);
    return {
      policy: condition === 'none' || condition === 'no' ? 'no' : condition === 'on-failure' ? 'on-failure' : 'always',
      limit,
      ...backOff,
      // One that is given is kept to.
      ...(delayMs ? { delayMs, longestMs: delayMs } : {}),
      windowMs: fromText(deploy.window) ?? 0,
    };
  }
  const [name, limit] = (service.restart ?? 'no').split(':');
  if (name === 'on-failure') return { policy: 'on-failure', limit: Number(limit ?? 0), ...backOff };
  // What the two differ in is told after a boot: `unless-stopped` remembers that it was stopped.
  const isAlways = name === 'always' || name === 'unless-stopped';
  return { policy: isAlways ? 'always' : 'no', limit: 0, ...backOff };
}

/** Rotation: `max-size` and `max-file` of the drivers json-file and local; `none` keeps no log. -1 is no limit of size. */
export function logOf(logging: Service['logging']): MonitorSettings['log'] {
  if (logging?.driver === 'none') return { size: 0, files: 0 };
  const size = logging?.options?.['max-size'];
  const files = logging?.options?.['max-file'];
  return {
    size: size?.startsWith('-') ? 0 : ((size === undefined ? undefined : parseBytes(size)) ?? defaultLog.size),
    files: files === undefined ? defaultLog.files : Math.max(1, Number(files)),
  };
}

/** Beside the containers' cgroups, so that neither their limits nor the caller's hold for the monitors. */
const monitorCgroup = (parent: string) => `${parent}-monitors`;

/**
 * The monitors' own cgroups: only in hierarchies where the caller is not at the top, since what limits or kills the
 * caller must not reach the monitors.
 */
export function monitorMembership(all: Hierarchies, parent: string): MonitorSettings['monitor'] {
  const tasks: string[] = [];
  let unified: string | undefined;
  const callers = new Map(
    readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [, controllers = '', ...path] = line.split(':');
        return [controllers, path.join(':')];
      }),
  );
  for (const { path, controllers } of all.v1) {
    // A new cpuset has no CPUs and takes no process.
    if (controllers.includes('cpuset') || (callers.get(controllers.join()) ?? '/') === '/') continue;
    mkdirSync(path + monitorCgroup(parent), { recursive: true });
    tasks.push(`${path}${monitorCgroup(parent)}/tasks`);
  }
  if (all.v2 && (callers.get('') ?? '/') !== '/') {
    unified = all.v2.path + monitorCgroup(parent);
    mkdirSync(unified, { recursive: true });
  }
  return { tasks, unified };
}

/** Directories that may be left of {@link monitorMembership} when no monitor lives any more. */
export const monitorCgroups = (all: Hierarchies, parent: string): string[] =>
  [...all.v1, ...(all.v2 ? [all.v2] : [])].map(({ path }) => path + monitorCgroup(parent));
