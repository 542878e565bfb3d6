/** Phase 4: one validated file → canonical forms, paths made absolute. Nothing is added that the file does not say. */
import { absolutePath, flag, formatScalar, integer, labels, stringOptions } from './convert.ts';
import { service } from './normalise-service.ts';
import { type Converter, convertEntries, type Setting, Spot } from './spot.ts';

export interface Model {
  name?: string;
  services: Record<string, Record<string, unknown>>;
  networks: Record<string, Record<string, unknown>>;
  volumes: Record<string, Record<string, unknown>>;
  configs: Record<string, Record<string, unknown>>;
  secrets: Record<string, Record<string, unknown>>;
  models: Record<string, Record<string, unknown>>;
  [extension: `x-${string}`]: unknown;
}

/** `external: {name: x}` is the old way to write `external: true` with `name: x`. */
const external: Converter = (spot) => (typeof spot.value === 'object' ? true : flag(spot));

function definition(table: Record<string, Converter>): Converter {
  return (spot) => {
    if (spot.value === null) return {};
    const result = convertEntries(spot, { external, labels, driver_opts: stringOptions, ...table });
    const old = (spot.value as { external?: { name?: string } }).external?.name;
    if (old !== undefined) spot.child('external').child('name').put(result, 'name', old);
    return result;
  };
}

function definitions(convert: Converter): Converter {
  return (spot) => {
    const result: Record<string, unknown> = {};
    if (spot.value !== null) for (const entry of spot.children()) entry.put(result, entry.key, convert(entry));
    return result;
  };
}

const services: Converter = (spot) => {
  const result: Record<string, unknown> = {};
  if (spot.value === null) return result;
  for (const entry of spot.children()) {
    if (/^[A-Za-z0-9._-]+$/.test(entry.key)) entry.put(result, entry.key, service(entry));
    else entry.fail('a service name is made of letters, digits, dots, underscores and hyphens');
  }
  return result;
};

const filePath: Converter = (spot) => absolutePath(spot, formatScalar(spot.value));
const flags = { internal: flag, attachable: flag, enable_ipv4: flag, enable_ipv6: flag };

const plainVolume = definition({});
/** A volume of the local driver may be a bind: its device is a path. As in docker compose, the driver has to be named. */
const volumeDefinition: Converter = (spot) => {
  const volume = plainVolume(spot) as { driver?: unknown; driver_opts?: Record<string, string> };
  const options = volume.driver_opts;
  if (volume.driver === 'local' && options?.o === 'bind' && options.device !== undefined) {
    options.device = absolutePath(spot, options.device);
  }
  return volume;
};

const sections: Record<string, Converter> = {
  services,
  networks: definitions(definition(flags)),
  volumes: definitions(volumeDefinition),
  configs: definitions(definition({ file: filePath })),
  secrets: definitions(definition({ file: filePath })),
  models: definitions(definition({ context_size: integer })),
};

const names = ['services', 'networks', 'volumes', 'configs', 'secrets', 'models'] as const;

export function normalise(root: Record<string, unknown>, setting: Setting): Model {
  const model = convertEntries(new Spot(setting, root, [], undefined), sections);
  delete model.include;
  delete model.version;
  for (const name of names) model[name] ??= {};
  return model as unknown as Model;
}
