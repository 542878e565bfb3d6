/**
 * Phase 6: a later file over an earlier one. Source: compose-spec 13-merge.md. Mappings merge, lists append, scalars
 * replace; what identifies an entry of a list (the target of a mount, the four parts of a port) makes a later one replace it.
 */
import type { Key, Path, Places } from './places.ts';
import { define } from './read.ts';

type Merger = (base: unknown, over: unknown, places: Places) => unknown;
interface Rules {
  [key: string]: Merger | Rules;
}

const replace: Merger = (_base, over) => over;

/** Appends; an item with the same identity takes the earlier one's place. */
function append(identity: (item: unknown) => unknown): Merger {
  return (base, over, places) => {
    if (!Array.isArray(base) || !Array.isArray(over)) return over;
    const result: unknown[] = [];
    const index = new Map<unknown, number>();
    for (const list of [base, over]) {
      for (const [position, item] of list.entries()) {
        // A string stands here where variables were not filled in.
        const id = typeof item === 'string' ? item : identity(item);
        const at = index.get(id) ?? result.length;
        index.set(id, at);
        const place = places.get(list, position);
        const isRepeated = at < result.length && JSON.stringify(result[at]) !== JSON.stringify(item);
        if (isRepeated) places.replace(result, at, place, result[at], places.get(result, at));
        else places.set(result, at, place);
        result[at] = item;
      }
    }
    return result;
  };
}

const whole = append((item) => (typeof item === 'object' ? JSON.stringify(item) : item));
const by = (...keys: string[]) =>
  append((item) => JSON.stringify(keys.map((key) => (item as Record<string, unknown>)?.[key] ?? null)));

/** `environment`, `labels`: null on top of a mapping keeps it. */
function mergeMapping(base: unknown, over: unknown, places: Places, rules: Rules): unknown {
  if (over === null && base !== undefined) return base;
  if (Array.isArray(base) && Array.isArray(over)) return whole(base, over, places);
  if (!isMapping(base) || !isMapping(over)) return over;
  const result: Record<string, unknown> = {};
  copy(base, result, places);
  for (const key of Object.keys(over)) {
    const rule = key.startsWith('x-')
      ? replace
      : Object.hasOwn(rules, key)
        ? rules[key]!
        : Object.hasOwn(rules, '*')
          ? rules['*']!
          : {};
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    const value =
      before === undefined
        ? over[key]
        : typeof rule === 'function'
          ? rule(before, over[key], places)
          : mergeMapping(before, over[key], places, rule);
    define(result, key, value);
    const shadowed = places.get(result, key);
    if (value !== over[key] && shadowed !== undefined) continue;
    if (before === undefined) places.set(result, key, places.get(over, key));
    else places.replace(result, key, places.get(over, key), before, shadowed);
  }
  return result;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function copy(from: Record<string, unknown>, to: Record<string, unknown>, places: Places): void {
  for (const key of Object.keys(from)) {
    define(to, key, from[key]);
    places.set(to, key, places.get(from, key));
  }
}

/** Options of one logging driver mean nothing to another. */
const logging: Merger = (base, over, places) => {
  const drivers = [base, over].map((value) => (value as { driver?: string } | null)?.driver);
  if (drivers[0] !== undefined && drivers[1] !== undefined && drivers[0] !== drivers[1]) return over;
  return mergeMapping(base, over, places, {});
};

/** Values of `environment` and the like replace, null included. */
const pairs: Rules = { '*': replace };

/** A grant is known by where it appears; `directory` is where one without a target does. */
const grants = (directory: string) =>
  append((item) => {
    const { source, target } = item as { source: string; target?: string };
    return target ?? `${directory}/${source}`;
  });

const blkio = by('path');
const serviceRules: Rules = {
  blkio_config: {
    device_read_bps: blkio,
    device_read_iops: blkio,
    device_write_bps: blkio,
    device_write_iops: blkio,
    weight_device: blkio,
  },
  command: replace,
  configs: grants(''),
  devices: by('target'),
  entrypoint: replace,
  env_file: by('path'),
  environment: pairs,
  healthcheck: { test: replace },
  logging,
  ports: append((item) => {
    const { host_ip = '0.0.0.0', published, target, protocol = 'tcp' } = item as Record<string, string>;
    return [host_ip, published, target, protocol].join(' ');
  }),
  secrets: grants('/run/secrets'),
  ulimits: pairs,
  volumes: by('target'),
};

const rules: Rules = {
  services: { '*': serviceRules },
  networks: { '*': { ipam: { config: by('subnet') } } },
};

/** The model of a later file over that of an earlier one. */
export function mergeModels<T extends object>(base: T, over: T, places: Places): T {
  return mergeMapping(base, over, places, rules) as T;
}

/** One service over another: `extends`. The base is copied, because later phases change services in place. */
export function mergeServices<T extends object>(base: T, over: T, places: Places): T {
  return mergeMapping(copyTree(base, places), over, places.because('extends'), serviceRules) as T;
}

function copyTree<T>(value: T, places: Places): T {
  if (typeof value !== 'object' || value === null) return value;
  const result = (Array.isArray(value) ? [] : {}) as T & object;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    define(result, key, copyTree((value as Record<Key, unknown>)[key], places));
    places.set(result, key, places.get(value, key));
  }
  return result;
}

/** Changes `service` in place: of entries with one identity in one list the last stays, as if each came from a file of its own. */
export function dropRepeated(service: Record<string, unknown>, places: Places): void {
  for (const [key, rule] of Object.entries(serviceRules)) {
    const list = service[key];
    if (typeof rule === 'function' && rule !== replace && Array.isArray(list)) service[key] = rule([], list, places);
  }
}

/** The value without what lies at `path` (`!reset`, `!override`); holders on the way are copied. */
export function without<T>(value: T, path: Path, places: Places): T {
  const [key, ...rest] = path as [Key, ...Key[]];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return value;
  if (Array.isArray(value)) return value;
  const result: Record<string, unknown> = {};
  copy(value as Record<string, unknown>, result, places);
  if (rest.length === 0) delete result[key];
  else define(result, key, without(result[key], rest, places));
  return result as T;
}
