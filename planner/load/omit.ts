/**
 * Of phase 9: values that ask for what happens anyway are left out, as docker compose leaves them out of what it prints.
 * Only now: before merging they override. Attributes where nothing, zero or false is an answer of its own stay.
 */
import { define } from './read.ts';

/**
 * What is known of the entries of a mapping or list: a rule by name, `*` for any name or item, `free` where the names are
 * the user's own and nothing is left out. `keeps`: attributes that stay although they are empty.
 */
interface Rule {
  keeps?: string[];
  entries?: Record<string, Rule | 'free'>;
}

const free = 'free';
const each = (rule: Rule): Rule => ({ entries: { '*': rule } });
/** Entries with names of the user's, which stay, each by `rule`. */
const named = (rule: Rule): Rule => ({ keeps: ['*'], entries: { '*': rule } });

const rollout: Rule = { keeps: ['parallelism'] };
const device: Rule = { entries: { options: free } };
const hook: Rule = { keeps: ['command'], entries: { environment: free } };
const mount: Rule = {
  keeps: ['bind', 'volume', 'tmpfs', 'image'],
  entries: { volume: { entries: { labels: free } } },
};
const grants = each({ keeps: ['mode'] });

const deploy: Rule = {
  keeps: ['replicas', 'update_config', 'rollback_config', 'resources', 'restart_policy', 'placement'],
  entries: {
    labels: free,
    update_config: rollout,
    rollback_config: rollout,
    resources: {
      keeps: ['limits', 'reservations'],
      entries: {
        reservations: {
          entries: {
            devices: each(device),
            generic_resources: each(named({ keeps: ['*'] })),
          },
        },
      },
    },
    restart_policy: { keeps: ['max_attempts'] },
  },
};

const build: Rule = {
  entries: {
    args: free,
    additional_contexts: free,
    labels: free,
    ulimits: named({ keeps: ['*'] }),
    secrets: grants,
  },
};

/** Words that are `0` where a size is meant. */
const sizes = new Set([
  ...['mem_limit', 'mem_reservation', 'memswap_limit', 'mem_swappiness', 'shm_size'],
  ...['memory', 'size', 'rate'],
]);

const service: Rule = {
  keeps: [
    ...['command', 'entrypoint', 'init', 'attach', 'scale'],
    ...['blkio_config', 'build', 'credential_spec', 'deploy', 'develop', 'healthcheck', 'logging', 'provider'],
  ],
  entries: {
    annotations: free,
    blkio_config: {},
    build,
    configs: grants,
    depends_on: named({ keeps: ['condition', 'required'] }),
    deploy,
    develop: { entries: { watch: each({ keeps: ['path', 'action', 'exec'], entries: { exec: hook } }) } },
    env_file: each({ keeps: ['required'] }),
    environment: free,
    gpus: each(device),
    healthcheck: { keeps: ['retries'] },
    labels: free,
    logging: { entries: { options: free } },
    models: named({}),
    networks: named({ entries: { driver_opts: free } }),
    ports: each({}),
    post_start: each(hook),
    pre_start: each(hook),
    pre_stop: each(hook),
    provider: { entries: { options: free } },
    secrets: grants,
    storage_opt: free,
    sysctls: free,
    ulimits: named({ keeps: ['*'] }),
    volumes: each(mount),
  },
};

const definition: Rule = {
  keeps: ['ipam', 'enable_ipv4', 'enable_ipv6'],
  entries: { driver_opts: free, labels: free, ipam: { entries: { config: each({}), options: free } } },
};

export function omitEmptyOfService(value: object): void {
  prune(value, service);
}

/** A network, volume, config or secret. */
export function omitEmptyOfDefinition(value: object): void {
  prune(value, definition);
}

function prune(holder: object, { keeps = [], entries = {} }: Rule): void {
  if (Array.isArray(holder)) {
    for (const item of holder) if (isHolder(item) && entries['*'] && entries['*'] !== free) prune(item, entries['*']);
    return;
  }
  for (const [key, value] of Object.entries(holder)) {
    if (key.startsWith('x-') && !keeps.includes('*')) continue;
    const rule = entries[key] ?? entries['*'] ?? {};
    if (rule !== free && isHolder(value)) prune(value, rule);
    if (keeps.includes(key) || keeps.includes('*')) continue;
    if (isEmpty(value) || (sizes.has(key) && value === '0')) delete (holder as Record<string, unknown>)[key];
  }
}

function isHolder(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isEmpty(value: unknown): boolean {
  if (isHolder(value)) return Object.keys(value).length === 0;
  return value === false || value === 0 || value === '';
}

/** Attributes of a mapping that has names of the user's: an extension in it is an entry like any other. */
function rulesOf(path: readonly string[]): Rule | 'free' {
  let rule: Rule | 'free' = root;
  for (const key of path) {
    if (rule === free) return free;
    rule = rule.entries?.[key] ?? rule.entries?.['*'] ?? {};
  }
  return rule;
}

const root: Rule = {
  entries: {
    services: named(service),
    networks: named(definition),
    volumes: named(definition),
    configs: named(definition),
    secrets: named(definition),
    models: named({}),
  },
};

/** The project without extensions but those of the file itself: docker compose has no others in its JSON. */
export function withoutInnerExtensions(project: object): Record<string, unknown> {
  const visit = (value: unknown, path: string[]): unknown => {
    if (!isHolder(value)) return value;
    const rule = rulesOf(path);
    if (rule === free) return value;
    if (Array.isArray(value)) return value.map((item) => visit(item, [...path, '*']));
    const result: Record<string, unknown> = {};
    const isNamed = rule.keeps?.includes('*');
    for (const [key, item] of Object.entries(value)) {
      if (path.length > 0 && !isNamed && key.startsWith('x-')) continue;
      define(result, key, path.length === 0 && key.startsWith('x-') ? item : visit(item, [...path, key]));
    }
    return result;
  };
  return visit(project, []) as Record<string, unknown>;
}
