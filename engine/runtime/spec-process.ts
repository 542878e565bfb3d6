/** What the container's process is: command line, environment, directory, limits. Rules of `docker run` and compose. */
import { StackError } from '../../schemas/errors.ts';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import type { Int64, Rlimit } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type ImageProcess = NonNullable<ImageConfig['config']>;

/**
 * Entrypoint and command joined. An entrypoint of the service makes the image's command void; an empty one (`[]`)
 * only the image's entrypoint, as docker's API has it.
 * @throws config.value where nothing is left to run.
 */
export function commandLine(
  service: Pick<Service, 'command' | 'entrypoint'>,
  image: ImageProcess,
  resource: string,
): string[] {
  const own = service.command?.length ? service.command : undefined;
  const entrypoint = service.entrypoint ?? image.Entrypoint ?? [];
  const command = own ?? (service.entrypoint?.length ? [] : (image.Cmd ?? []));
  const args = [...entrypoint, ...command];
  if (args.length > 0) return args;
  throw new StackError('config.value', {
    message: `${resource}: neither the service nor its image says what to run`,
    hint: `Set ${resource}.command.`,
    resource: `${resource}.command`,
  });
}

export interface EnvironmentRequest {
  /** `NAME=value`, in the image's order. */
  image: string[];
  /** null removes a variable of the image. */
  service: Record<string, string | null>;
  hostname: string;
  home: string;
  isTty: boolean;
}

/** Defaults, overridden by the image's variables, overridden by the service's. HOME is the user's unless set. */
export function environment(request: EnvironmentRequest): string[] {
  const merged = new Map<string, string>([
    ['PATH', defaultPath],
    ['HOSTNAME', request.hostname],
  ]);
  if (request.isTty) merged.set('TERM', 'xterm');
  for (const entry of request.image) {
    const at = entry.indexOf('=');
    if (at > 0) merged.set(entry.slice(0, at), entry.slice(at + 1));
  }
  for (const [name, value] of Object.entries(request.service)) {
    if (value === null) merged.delete(name);
    else merged.set(name, value);
  }
  if (!merged.get('HOME')) merged.set('HOME', request.home);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

/** Absolute; a relative one starts at the root. The runtime makes the directory where the image has none. */
export function workingDirectory(service: string | undefined, image: string | undefined): string {
  const chosen = service || image || '/';
  const parts: string[] = [];
  for (const part of chosen.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Names of getrlimit(2), as compose writes them: lower case, without the prefix. */
const limits = new Set([
  ...['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss'],
  ...['rtprio', 'rttime', 'sigpending', 'stack'],
]);
const unlimited = 0xffff_ffff_ffff_ffffn;

/** @throws config.value for a limit the kernel does not have, or a soft limit above the hard one. */
export function rlimits(ulimits: NonNullable<Service['ulimits']>, resource: string): Rlimit[] {
  return Object.entries(ulimits).map(([name, value]) => {
    const where = `${resource}.ulimits.${name}`;
    if (!limits.has(name)) {
      throw new StackError('config.value', {
        message: `${where}: "${name}" is not a resource limit`,
        hint: `Limits are: ${[...limits].join(', ')}.`,
        resource: where,
      });
    }
    const pair = typeof value === 'number' ? { soft: value, hard: value } : value;
    const [soft, hard] = [toLimit(pair.soft), toLimit(pair.hard)];
    if (soft > hard) {
      throw new StackError('config.value', {
        message: `${where}: the soft limit ${soft} is above the hard limit ${hard}`,
        hint: 'Raise `hard` or lower `soft`.',
        resource: where,
      });
    }
    return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
  });
}

const toLimit = (value: number): Int64 => (value === -1 ? unlimited : value);
