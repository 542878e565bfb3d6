/** What a change of each attribute of a service asks for, and the form in which two of them are compared. docs/plan.md has the table. */
import type { InitHook, Port, Service, ServiceVolume } from '../../schemas/project.ts';
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
 * Init containers of `is` as they are compared with those of `was`: an image that says its digest on one side only, and is called the
 * same on both, is the same. A lock adds it.
 */
export function comparableHooks(was: InitHook[] = [], is: InitHook[] = []): InitHook[] {
  const tagged = (image: string | undefined) => imageName(image?.split('@')[0]);
  return is.map((hook, index) => {
    const before = was[index]?.image;
    const isOneSided = before?.includes('@') !== hook.image?.includes('@');
    const isSame = isOneSided ? tagged(before) === tagged(hook.image) : imageName(before) === imageName(hook.image);
    return isSame && before !== undefined ? { ...hook, image: before } : hook;
  });
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
