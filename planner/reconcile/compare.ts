/** Field by field comparison of what a resource was made from with what the stack file says now, in words. */
import type { Network, Port, Service, ServiceVolume, Volume } from '../../schemas/project.ts';
import { byName } from '../graph.ts';
import { comparable, imageName, withKnownImages } from './fields.ts';

/** One field that differs. Values are shown as JSON, shortened; those that look like secrets are not shown. */
export interface Difference {
  /** `services.web.environment.MODE`. */
  path: string;
  was: string;
  is: string;
}

/** Lists whose order means nothing: a reordered one is no change. */
const sets = new Set([
  'ports',
  'volumes',
  'cap_add',
  'cap_drop',
  'expose',
  'group_add',
  'tmpfs',
  'aliases',
  'security_opt',
  'dns_opt',
  'devices',
  'device_cgroup_rules',
  'extra_hosts',
]);

/** Variables whose values do not belong into a build's log. */
const secret = /\.environment\..*(passw(or)?d|passphrase|secret|token|credential|api_?key|private_?key|access_?key)/i;

/**
 * What differs between two canonical services, sorted by path. Empty: the container need not be made anew. `isSameImage`: what
 * the image is called makes no difference, since both names lead to the one that the container was made from.
 */
export function serviceDifferences(name: string, was: Service, is: Service, isSameImage = false): Difference[] {
  const found: Difference[] = [];
  const [before, after] = [comparable(was), comparable(withKnownImages(was, is))];
  if (!isSameImage && imageName(was.image) !== imageName(is.image)) {
    [before.image, after.image] = [was.image, is.image];
  }
  if (!isSameImage) [before.platform, after.platform] = [was.platform, is.platform];
  for (const field of keysOf(before, after)) {
    const path = `services.${name}.${field}`;
    if (field === 'command' || field === 'entrypoint') {
      // Here an empty list is not an absent one: it clears what the image says.
      compare(found, path, field, present(before[field]), present(after[field]));
    } else compare(found, path, field, before[field], after[field]);
  }
  return found;
}

/** What differs between two definitions of a network or of a volume (`kind`), apart from `x-` fields. */
export function definitionDifferences(kind: string, key: string, was: object, is: object): Difference[] {
  const found: Difference[] = [];
  const means = kind === 'networks' ? meaningOfNetwork : meaningOfVolume;
  const [before, after] = [means(was), means(is)];
  for (const field of keysOf(before, after)) {
    if (field.startsWith('x-')) continue;
    compare(found, `${kind}.${key}.${field}`, field, before[field], after[field]);
  }
  return found;
}

/** With what absent fields mean (compose-spec 06-networks.md), so that writing one out is no change. */
function meaningOfNetwork(network: Partial<Network>): Record<string, unknown> {
  const meant = { enable_ipv4: true, enable_ipv6: false, internal: false, attachable: false, ...network };
  const { driver: ipamDriver = 'default', ...ipam } = network.ipam ?? {};
  const driver = !network.driver || network.driver === 'default' ? 'bridge' : network.driver;
  return { ...meant, driver, external: network.external === true, ipam: { ...ipam, driver: ipamDriver || 'default' } };
}

/** As above (compose-spec 07-volumes.md). */
function meaningOfVolume(volume: Partial<Volume>): Record<string, unknown> {
  return { ...volume, driver: volume.driver || 'local', external: volume.external === true };
}

/** The first differences and how many more there are: `services.web.image: "a" → "b" and 2 more`. */
export function describe(differences: Difference[], shown = 2): string {
  const first = differences.slice(0, shown).map(({ path, was, is }) => `${path}: ${was} → ${is}`);
  const more = differences.length - first.length;
  return first.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

const present = (value: unknown) => (value === undefined ? null : value);

const keysOf = (was: object, is: object) => [...new Set([...Object.keys(was), ...Object.keys(is)])].sort(byName);

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** In the canonical form null, an empty list and an empty map all say: nothing here. */
function isAbsent(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function compare(found: Difference[], path: string, field: string, was: unknown, is: unknown): void {
  const clears = field === 'command' || field === 'entrypoint';
  if (!clears && isAbsent(was) && isAbsent(is)) return;
  if (isMap(was ?? {}) && isMap(is ?? {}) && (isMap(was) || isMap(is))) {
    const [before, after] = [(was ?? {}) as Record<string, unknown>, (is ?? {}) as Record<string, unknown>];
    for (const key of keysOf(before, after)) {
      const below = /^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
      // A network joined without settings is `null`: there presence is what counts.
      if (field === 'networks' && key in before !== key in after) {
        found.push({ path: below, was: key in before ? 'joined' : '(none)', is: key in after ? 'joined' : '(none)' });
      } else compare(found, below, key, before[key], after[key]);
    }
    return;
  }
  if (fingerprint(field, was) === fingerprint(field, is)) return;
  const isSecret = secret.test(path);
  found.push({ path, was: isSecret ? '(not shown)' : show(field, was), is: isSecret ? '(changed)' : show(field, is) });
}

function fingerprint(field: string, value: unknown): string {
  if (!Array.isArray(value)) return stable(value);
  const parts = value.map(stable);
  return JSON.stringify(sets.has(field) ? parts.sort(byName) : parts);
}

/** JSON with sorted keys and without what is absent. */
function stable(value: unknown): string {
  return (
    (JSON.stringify(value, (_, part: unknown) => {
      if (!isMap(part)) return part;
      const kept = Object.entries(part).filter(([, inner]) => !isAbsent(inner));
      return Object.fromEntries(kept.sort(([a], [b]) => byName(a, b)));
    }) as string | undefined) ?? 'null'
  );
}

function show(field: string, value: unknown): string {
  if (value === undefined || value === null) return '(none)';
  let shown = value;
  if (Array.isArray(value) && field === 'ports') shown = value.map((port) => portText(port as Port));
  if (Array.isArray(value) && field === 'volumes') shown = value.map((mount) => volumeText(mount as ServiceVolume));
  if (Array.isArray(shown) && shown.length === 1 && shown !== value) shown = shown[0];
  const text = JSON.stringify(shown);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** The short syntax of a port, as people write it: `127.0.0.1:8080:80/udp`. */
function portText(port: Port): string {
  const host = port.host_ip ? (port.host_ip.includes(':') ? `[${port.host_ip}]:` : `${port.host_ip}:`) : '';
  const published = port.published ? `${port.published}:` : '';
  return `${host}${published}${port.target}${port.protocol === 'tcp' ? '' : `/${port.protocol}`}`;
}

/** The short syntax of a mount: `data:/var/lib:ro`. */
function volumeText(mount: ServiceVolume): string {
  return `${mount.source ? `${mount.source}:` : ''}${mount.target}${mount.read_only ? ':ro' : ''}`;
}
