/** Converters that services and builds share: `ulimits`, `extra_hosts`, `configs` and `secrets`. */
import { eachEntry, formatScalar, integer } from './convert.ts';
import { fileMode } from './mounts.ts';
import { type Converter, collect, convertEntries } from './spot.ts';

const limit: Converter = (spot) => (spot.value === 'unlimited' ? -1 : integer(spot));
export const ulimits: Converter = eachEntry((spot) => {
  if (typeof spot.value !== 'object' || spot.value === null) return limit(spot);
  const value = convertEntries(spot, { soft: limit, hard: limit });
  if (value.soft === undefined || value.hard === undefined) return spot.fail('both soft and hard are needed');
  return value;
});

/** `host:address` or `host=address`, the address perhaps in brackets; canonical with `=`. */
export const extraHosts: Converter = (spot) => {
  if (spot.value === null) return undefined;
  const bare = (address: string) => address.replace(/^\[(.*)\]$/, '$1');
  return collect(spot, (item) => {
    if (!Array.isArray(spot.value)) {
      const addresses = Array.isArray(item.value) ? item.value : [item.value];
      return addresses.map((address) => `${item.key}=${bare(formatScalar(address))}`);
    }
    const written = formatScalar(item.value);
    const found = /^([^=:]+)[=:](.+)$/.exec(written);
    if (!found) return [item.fail(`${JSON.stringify(written)} is no host entry`, 'Write NAME=ADDRESS.')];
    return [`${found[1]}=${bare(found[2]!)}`];
  });
};

/** `configs` and `secrets`. A secret without a target appears below /run/secrets. */
export function grants(directory?: string): Converter {
  return (spot) =>
    spot.value === null
      ? undefined
      : collect(spot, (item) => {
          const value: Record<string, unknown> =
            typeof item.value === 'string' ? { source: item.value } : convertEntries(item, { mode: fileMode });
          if (!value.source)
            return [item.fail('the attribute source is missing', 'Add source: the name below configs or secrets.')];
          return [directory && !('target' in value) ? { ...value, target: `${directory}/${value.source}` } : value];
        });
}
