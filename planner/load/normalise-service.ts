/** Phase 4 for one service: every attribute from its short forms to the one canonical form. Source: compose-spec 05-services.md. */
import {
  asIs,
  bytes,
  bytesOrUnlimited,
  command,
  duration,
  eachEntry,
  flag,
  formatScalar,
  integer,
  labels,
  number,
  pairs,
  readPath,
  record,
  recordList,
  stringOptions,
  text,
  texts,
  uniqueTexts,
} from './convert.ts';
import { extraHosts, grants, ulimits } from './entries.ts';
import { devices, volumes } from './mounts.ts';
import { build, develop } from './normalise-build.ts';
import { expose, ports } from './ports.ts';
import { type Converter, collect, convertEntries, type Spot } from './spot.ts';

/** A mapping from name to settings; as a list of names each has `standard`. */
function named(standard: () => unknown, convert: Converter): Converter {
  return (spot) => {
    if (spot.value === null) return undefined;
    const result: Record<string, unknown> = {};
    for (const entry of spot.children()) {
      if (Array.isArray(spot.value)) entry.put(result, formatScalar(entry.value), standard());
      else entry.put(result, entry.key, convert(entry));
    }
    return result;
  };
}

const dependency = record({ required: flag, restart: flag });
const dependsOn = named(
  () => ({ condition: 'service_started', required: true }),
  (spot) => {
    const value = dependency(spot) as Record<string, unknown> | undefined;
    if (value?.condition === undefined)
      return spot.fail('the attribute condition is missing', 'Add condition: service_started.');
    return { required: true, ...value };
  },
);

const endpoint = record({
  driver_opts: stringOptions,
  priority: number,
  gw_priority: number,
  aliases: uniqueTexts,
  link_local_ips: texts,
});
const networks = named(
  () => null,
  (spot) => (spot.value === null ? null : endpoint(spot)),
);

const healthcheck = record({
  disable: flag,
  interval: duration,
  timeout: duration,
  start_period: duration,
  start_interval: duration,
  retries: integer,
  test: (spot) => {
    if (typeof spot.value === 'string') return ['CMD-SHELL', spot.value];
    const test = texts(spot) as string[] | undefined;
    const first = test?.[0];
    if (test && test.length > 0 && !['NONE', 'CMD', 'CMD-SHELL'].includes(first!)) {
      return spot.fail(`a test list begins with NONE, CMD or CMD-SHELL, not ${JSON.stringify(first)}`);
    }
    return test;
  },
});

/** `dns: ${DNS}` without a value is no server. */
const servers: Converter = (spot) => {
  if (spot.value === '') return [];
  if (!Array.isArray(spot.value)) return uniqueTexts(spot);
  const seen = new Set<unknown>(['']);
  return collect(spot, (item) => [text(item)].filter((server) => !seen.has(server) && seen.add(server)));
};

const envFile: Converter = (spot) => {
  if (spot.value === null) return undefined;
  const one = (item: Spot) => {
    if (typeof item.value === 'string') return { path: readPath(item), required: true };
    return { required: true, ...convertEntries(item, { path: readPath, required: flag }) };
  };
  if (Array.isArray(spot.value)) return collect(spot, (item) => [one(item)]);
  const list: unknown[] = [];
  spot.put(list, 0, one(spot));
  return list;
};

const gpuCount: Converter = (spot) => (spot.value === 'all' ? -1 : integer(spot));
const deviceRequest = { count: gpuCount, options: labels, capabilities: texts, device_ids: texts };
const rollout = record({ parallelism: integer, delay: duration, monitor: duration, max_failure_ratio: number });
const deploy: Converter = (spot) => {
  if (spot.value === null) return undefined;
  return convertEntries(spot, {
    replicas: integer,
    labels,
    update_config: rollout,
    rollback_config: rollout,
    resources: record({
      limits: record({ cpus: number, memory: bytes, pids: integer }),
      reservations: record({ cpus: number, memory: bytes, devices: recordList(deviceRequest) }),
    }),
    restart_policy: record({ condition: restartCondition, delay: duration, window: duration, max_attempts: integer }),
    placement: record({ max_replicas_per_node: integer }),
  });
};

const pullPolicy: Converter = (spot) => {
  const written = String(spot.value);
  if (written === 'if_not_present') return 'missing';
  if (/^(?:always|never|missing|build|refresh|daily|weekly|every_(?:[0-9]+[wdhms])+)$/.test(written)) return written;
  return spot.fail(
    `${JSON.stringify(written)} is no pull policy`,
    'Write always, missing, never, build, daily, weekly or every_12h.',
  );
};

const restart: Converter = (spot) => {
  const written = String(spot.value);
  if (/^(?:no|always|unless-stopped|on-failure(?::[0-9]+)?|)$/.test(written)) return written;
  return spot.fail(
    `${JSON.stringify(written)} is no restart policy`,
    'Write "no", always, on-failure[:TIMES] or unless-stopped.',
  );
};

const restartCondition: Converter = (spot) => {
  const written = String(spot.value);
  // The words of `restart` are none of the specification's; docker compose takes them all the same.
  if (['none', 'on-failure', 'any', 'no', 'unless-stopped', 'always'].includes(written)) return written;
  return spot.fail(`${JSON.stringify(written)} is no condition`, 'Write none, on-failure or any.');
};

const limits = recordList({ rate: bytes });
const hook = { command, environment: pairs(null), privileged: flag };
const hooks = recordList(hook);

const table: Record<string, Converter> = {
  annotations: labels,
  attach: flag,
  blkio_config: record({
    weight: integer,
    device_read_bps: limits,
    device_read_iops: limits,
    device_write_bps: limits,
    device_write_iops: limits,
    weight_device: recordList({ weight: integer }),
  }),
  build,
  cap_add: uniqueTexts,
  cap_drop: uniqueTexts,
  command,
  configs: grants(),
  cpu_count: integer,
  cpu_percent: number,
  cpu_period: number,
  cpu_quota: number,
  cpu_rt_period: number,
  cpu_rt_runtime: number,
  cpu_shares: number,
  cpus: number,
  depends_on: dependsOn,
  deploy,
  develop,
  device_cgroup_rules: texts,
  devices,
  dns: servers,
  dns_opt: uniqueTexts,
  dns_search: uniqueTexts,
  entrypoint: command,
  env_file: envFile,
  environment: pairs(null),
  expose,
  extends: (spot) => (typeof spot.value === 'string' ? { service: spot.value } : asIs(spot)),
  external_links: uniqueTexts,
  extra_hosts: extraHosts,
  gpus: (spot) => (spot.value === 'all' ? [{ count: -1 }] : recordList(deviceRequest)(spot)),
  group_add: uniqueTexts,
  healthcheck,
  init: flag,
  label_file: (spot) => (Array.isArray(spot.value) ? collect(spot, (item) => [readPath(item)]) : [readPath(spot)]),
  labels,
  links: uniqueTexts,
  logging: record({ options: stringOptions }),
  mem_limit: bytes,
  mem_reservation: bytes,
  mem_swappiness: text,
  memswap_limit: bytesOrUnlimited,
  models: named(
    () => null,
    (spot) => spot.value,
  ),
  networks,
  oom_kill_disable: flag,
  oom_score_adj: integer,
  pids_limit: integer,
  ports,
  post_start: hooks,
  pre_start: recordList({ ...hook, per_replica: flag }),
  pre_stop: hooks,
  privileged: flag,
  profiles: uniqueTexts,
  provider: record({ options: eachEntry(texts) }),
  pull_policy: pullPolicy,
  read_only: flag,
  restart,
  scale: integer,
  secrets: grants('/run/secrets'),
  security_opt: uniqueTexts,
  shm_size: bytes,
  stdin_open: flag,
  stop_grace_period: duration,
  storage_opt: stringOptions,
  sysctls: labels,
  tmpfs: uniqueTexts,
  tty: flag,
  ulimits,
  use_api_socket: flag,
  volumes,
  volumes_from: texts,
};

export const service: Converter = (spot) => {
  if (spot.value === null) return {};
  const result = convertEntries(spot, table);
  // A command and an entrypoint keep the difference between absent and empty.
  for (const key of Object.keys(result)) {
    if (result[key] === null && key !== 'command' && key !== 'entrypoint') delete result[key];
  }
  return result;
};
