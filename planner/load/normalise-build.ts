/** Phase 4 for `build` and `develop`. Source: compose-spec build.md, develop.md. */
import {
  absolutePath,
  bytes,
  command,
  flag,
  formatScalar,
  labels,
  pairs,
  path,
  record,
  recordList,
  texts,
} from './convert.ts';
import { extraHosts, grants, ulimits } from './entries.ts';
import { define } from './read.ts';
import { type Converter, collect, convertEntries, type Spot } from './spot.ts';

/** A context is a directory, or something a builder fetches: a URL, a git address, `service:`, `docker-image://`. */
function resolveContext(spot: Spot, written: string): string {
  const layout = /^oci-layout:\/\/(?!\/)(.+)$/s.exec(written)?.[1];
  if (layout !== undefined) return `oci-layout://${absolutePath(spot, layout)}`;
  const isRemote = /^[a-z][a-z0-9+.-]*:\/\//.test(written) || /^(?:github\.com\/|git@|service:)/.test(written);
  return isRemote ? written : absolutePath(spot, written);
}

const context: Converter = (spot) => resolveContext(spot, formatScalar(spot.value));

const contexts: Converter = (spot) => {
  const byName = labels(spot) as Record<string, string> | undefined;
  if (!byName) return undefined;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(byName)) {
    define(result, name, resolveContext(spot, value));
    spot.setting.places.set(result, name, spot.setting.places.get(byName, name));
  }
  return result;
};

/** `default`, or `ID=PATH` of a key or an agent's socket. */
const ssh: Converter = (spot) => {
  const list = collect(spot, (item) => {
    const isListed = Array.isArray(spot.value);
    const found = isListed ? /^([^=]*)=(.*)$/s.exec(formatScalar(item.value)) : undefined;
    const id = isListed ? (found?.[1] ?? formatScalar(item.value)) : item.key;
    const written = isListed ? found?.[2] : formatScalar(item.value);
    return [written ? `${id}=${absolutePath(item, written)}` : id];
  });
  return Array.isArray(spot.value) ? list : list.toSorted();
};

export const build: Converter = (spot) => {
  if (typeof spot.value === 'string') return { context: context(spot) };
  return convertEntries(spot, {
    context,
    args: pairs(null),
    additional_contexts: contexts,
    labels,
    ssh,
    no_cache: flag,
    no_cache_filter: texts,
    pull: flag,
    privileged: flag,
    shm_size: bytes,
    extra_hosts: extraHosts,
    secrets: grants(),
    ulimits,
    cache_from: texts,
    cache_to: texts,
    tags: texts,
    platforms: texts,
  });
};

export const develop: Converter = record({
  watch: recordList({
    path,
    ignore: texts,
    include: texts,
    initial_sync: flag,
    exec: record({ command, environment: pairs(null), privileged: flag }),
  }),
});
