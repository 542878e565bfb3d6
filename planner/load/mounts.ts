/** `volumes` and `devices` of a service. Source: compose-spec 05-services.md "volumes": `[source:]target[:options]`. */
import { posix } from 'node:path';
import { absolutePath, asIs, bytes, flag, formatScalar, labels, record, text } from './convert.ts';
import { type Converter, collect, convertEntries, type Spot } from './spot.ts';

const propagations = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);
const consistencies = new Set(['consistent', 'cached', 'delegated']);

const mode: Converter = (spot) => {
  if (typeof spot.value === 'number') return spot.value;
  const written = String(spot.value);
  return /^0?o?[0-7]+$/.test(written)
    ? Number.parseInt(written.replace('o', ''), 8)
    : spot.fail(`${JSON.stringify(written)} is no octal mode`);
};

export { mode as fileMode };

/** Variables are text: `{uid: ${UID}}`. What is neither is judged later, where it can be told with its reason. */
const idmap: Converter = ({ value }) => {
  const word = (one: unknown) => (typeof one === 'string' && /^\d{1,10}$/.test(one) ? Number(one) : one);
  if (value === 'true' || value === 'false') return value === 'true';
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, word(one)]));
};

const longForm = {
  target: (spot: Spot) => cleanPath(formatScalar(spot.value)),
  read_only: flag,
  bind: record({ create_host_path: flag, selinux: text, recursive: asIs }),
  volume: record({ nocopy: flag, labels }),
  tmpfs: record({ size: bytes, mode }),
  'x-idmap': idmap,
};

export const volumes: Converter = (spot) =>
  spot.value === null
    ? undefined
    : collect(spot, (item) => [typeof item.value === 'string' ? short(item, item.value) : long(item)]);

function long(spot: Spot): object | undefined {
  const mount = convertEntries(spot, longForm);
  const { type, source, target } = mount as { type?: string; source?: string; target?: string };
  if (type === undefined) return spot.fail('the attribute type is missing', 'Add type: bind, volume or tmpfs.');
  if (target === undefined) return spot.fail('the attribute target is missing');
  if (type === 'bind') {
    if (source === undefined) return spot.fail('a bind mount needs a source');
    mount.source = absolutePath(spot, source);
  }
  return mount;
}

/** `/a//b/` → `/a/b` */
function cleanPath(path: string): string {
  if (path === '') return path;
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

function short(spot: Spot, written: string): object | undefined {
  const hint = 'Write [SOURCE:]TARGET[:OPTIONS], like ./data:/var/lib/data:ro.';
  const parts = splitMount(written);
  if (written === '' || parts.length > 3 || parts.some((part) => part === '')) {
    return spot.fail(`${JSON.stringify(written)} is no mount`, hint);
  }
  if (parts.length === 1) return { type: 'volume', target: cleanPath(written), volume: {} };
  const [source, target, options = ''] = parts as [string, string, string?];
  if (!/^(?:\/|[A-Za-z]:\\)/.test(target))
    return spot.fail(`the target ${JSON.stringify(target)} is no absolute path`, hint);
  const isBind = /^(?:[./~]|\\\\|[A-Za-z]:)/.test(source);
  const bind: Record<string, unknown> = isBind ? { create_host_path: true } : {};
  const volume: Record<string, unknown> = {};
  const mount: Record<string, unknown> = {
    type: isBind ? 'bind' : 'volume',
    source: isBind ? absolutePath(spot, source) : source,
    target: cleanPath(target),
    ...(isBind ? { bind } : { volume }),
  };
  const ignored: string[] = [];
  for (const option of options === '' ? [] : options.split(',')) {
    if (option === 'ro') mount.read_only = true;
    else if (option === 'rw' || consistencies.has(option)) continue;
    else if (option === 'nocopy') mount.volume = { nocopy: true };
    else if (option === 'z' || option === 'Z') mount.bind = Object.assign(bind, { selinux: option });
    else if (propagations.has(option)) mount.bind = Object.assign(bind, { propagation: option });
    else ignored.push(option);
  }
  if (ignored.length > 0) {
    spot.warn(
      `mount options that do not exist are ignored: ${ignored.join(', ')}`,
      'Options: ro, rw, nocopy, z, Z, and those of propagation, like rshared.',
    );
  }
  return mount;
}

/** At the colons, but not behind the letter of a Windows drive: `C:\\data:/data`, `c:/data:/data`. */
function splitMount(written: string): string[] {
  const parts: string[] = [];
  let rest = written;
  for (;;) {
    const drive = /^[A-Za-z]:(?=\\|\/[^:]*:\/)/.exec(rest)?.[0] ?? '';
    const colon = rest.indexOf(':', drive.length);
    if (colon === -1) return [...parts, rest];
    parts.push(rest.slice(0, colon));
    rest = rest.slice(colon + 1);
  }
}

/** `/dev/source[:/dev/target[:rwm]]` */
export const devices: Converter = (spot) =>
  spot.value === null
    ? undefined
    : collect(spot, (item) => {
        if (typeof item.value !== 'string') {
          const device = { permissions: 'rwm', ...(item.value as { source?: string; target?: string }) };
          if (device.source === undefined) return [item.fail('the attribute source is missing')];
          return [{ ...device, target: device.target ?? device.source }];
        }
        const [source, target, permissions] = item.value.split(':');
        return [{ source, target: target ?? source, permissions: permissions ?? 'rwm' }];
      });
