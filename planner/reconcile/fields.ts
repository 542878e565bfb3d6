/** What a change of each attribute of a service asks for, and the form in which two of them are compared. docs/plan.md has the table. */
import type { Port, Service, ServiceVolume } from '../../schemas/project.ts';
import { parseReference } from '../images/reference.ts';

/**
 * - `recreate`: the container is made anew, as with docker compose: also where the kernel could change it in place.
 * - `image`: recreates where the image that it names is another one than the container was made from.
 * - `name`: recreates where the container would be called otherwise.
 * - `parts`: some of what is in it recreates.
 * - `nothing`: it concerns what happens around a container (how many, when, from where), or says in short what another
 *   attribute says in full.
 */
export type Consequence = 'recreate' | 'image' | 'name' | 'parts' | 'nothing';

const others: Record<string, Exclude<Consequence, 'recreate'>> = {
  attach: 'nothing',
  build: 'nothing',
  container_name: 'name',
  depends_on: 'nothing',
  deploy: 'parts',
  develop: 'nothing',
  env_file: 'nothing',
  expose: 'nothing',
  extends: 'nothing',
  image: 'image',
  label_file: 'nothing',
  platform: 'image',
  profiles: 'nothing',
  pull_policy: 'nothing',
  pull_refresh_after: 'nothing',
  scale: 'nothing',
};

export function consequence(attribute: string): Consequence {
  if (attribute.startsWith('x-')) return 'nothing';
  return Object.hasOwn(others, attribute) ? others[attribute]! : 'recreate';
}

/** What absent attributes mean, so that a version of Stack that writes them out recreates nothing. */
const unsaid: Record<string, unknown[]> = {
  cgroup: ['private'],
  ipc: ['private'],
  restart: ['no'],
  stop_grace_period: ['10s'],
};

/**
 * A canonical service as it is compared: what another version of Stack, or another way of writing, says differently and
 * means the same is the same here. Attributes that are compared in other ways, or not at all, are left out.
 */
export function comparable(service: Service): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(service)) {
    const meant = consequence(key);
    if (meant === 'recreate' && value !== false && !unsaid[key]?.includes(value)) result[key] = value;
  }
  if (service.ports) result.ports = service.ports.map(comparablePort);
  if (service.volumes) result.volumes = service.volumes.map(comparableMount);
  if (service.ulimits)
    result.ulimits = mapped(service.ulimits, (one) => (typeof one === 'number' ? { soft: one, hard: one } : one));
  // Both names mean the one log there is, and so does none.
  const { driver, ...logging } = service.logging ?? {};
  if (driver === 'json-file' || driver === 'local') result.logging = logging;
  const { resources, restart_policy } = service.deploy ?? {};
  if (resources || restart_policy) result.deploy = { resources, restart_policy };
  return result;
}

/** Names of a port and modes of a swarm are for people. */
function comparablePort({ name: _, mode: _mode, app_protocol: _app, protocol, ...port }: Port): Port {
  return { ...port, protocol: protocol ?? 'tcp' };
}

/** How a missing source is come by is past once the container is there. */
function comparableMount({ consistency: _, bind, volume, read_only, ...mount }: ServiceVolume): ServiceVolume {
  const { create_host_path: _create, ...binding } = bind ?? {};
  const { nocopy, ...rest } = volume ?? {};
  return {
    ...mount,
    ...(read_only ? { read_only } : {}),
    ...(Object.keys(binding).length > 0 ? { bind: binding } : {}),
    ...(nocopy || Object.keys(rest).length > 0 ? { volume: { ...rest, ...(nocopy ? { nocopy } : {}) } } : {}),
  };
}

const mapped = <T, R>(map: Record<string, T>, change: (value: T) => R) =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));

/**
 * `is` with the images of init containers and mounts called as in `was`, where they are the same: otherwise written, or with a
 * digest on one side only. A lock adds it.
 */
export function withKnownImages(was: Service, is: Service): Service {
  const hooks = Array.isArray(is.pre_start)
    ? { pre_start: is.pre_start.map((hook, index) => knownImage(was.pre_start?.[index], hook, 'image')) }
    : {};
  const mounted = new Map(was.volumes?.map((mount) => [mount.target, mount]));
  const volumes = is.volumes?.map((mount) =>
    mount.type === 'image' ? knownImage(mounted.get(mount.target), mount, 'source') : mount,
  );
  return { ...is, ...hooks, ...(volumes ? { volumes } : {}) };
}

function knownImage<T extends object>(was: T | undefined, is: T, key: keyof T): T {
  const [before, after] = [was?.[key] as string | undefined, is[key] as string | undefined];
  if (before === undefined || after === undefined) return is;
  const isOneSided = before.includes('@') !== after.includes('@');
  const name = (image: string) => imageName(isOneSided ? image.split('@')[0] : image);
  return name(before) === name(after) ? { ...is, [key]: before } : is;
}

/** One name for every way of writing it: `redis` is `docker.io/library/redis:latest`. */
export function imageName(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  try {
    const { name } = parseReference(written);
    return name;
  } catch {
    return written;
  }
}
