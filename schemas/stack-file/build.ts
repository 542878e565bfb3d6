/** `build` and `develop`. Source: compose-spec build.md, develop.md. */
import * as z from 'zod/mini';
import {
  attributes,
  command,
  flag,
  integer,
  list,
  listOrMapping,
  mapping,
  nullable,
  oneOf,
  text,
  textOrList,
  textOrNumber,
  texts,
} from './values.ts';

export const ulimits = mapping(
  z.union([integer, attributes({ soft: integer, hard: integer })], {
    error: 'a number or a mapping with soft and hard',
  }),
);

export const extraHosts = z.union(
  [texts, mapping(z.union([text, texts], { error: 'an address or a list of addresses' }))],
  {
    error: 'a list or a mapping',
  },
);

/** `configs` and `secrets` of a service. */
export const grants = list(
  z.union([text, attributes({ source: text, target: text, uid: text, gid: text, mode: textOrNumber })], {
    error: 'a name or a mapping',
  }),
);

const flagOrText = z.union([flag, text], { error: 'true, false or a text' });

export const build = z.union(
  [
    text,
    attributes({
      context: text,
      dockerfile: text,
      dockerfile_inline: text,
      entitlements: texts,
      args: listOrMapping,
      ssh: listOrMapping,
      labels: listOrMapping,
      cache_from: texts,
      cache_to: texts,
      no_cache: flag,
      no_cache_filter: textOrList,
      additional_contexts: listOrMapping,
      network: text,
      provenance: flagOrText,
      sbom: flagOrText,
      pull: flag,
      target: text,
      shm_size: textOrNumber,
      extra_hosts: extraHosts,
      isolation: text,
      privileged: flag,
      secrets: grants,
      tags: texts,
      ulimits,
      platforms: texts,
    }),
  ],
  { error: 'a path or a mapping' },
);

const hookAttributes = { command, user: text, privileged: flag, working_dir: text, environment: listOrMapping };

export const hook = attributes(hookAttributes);

/** A container of its own, before the service's. Source: compose-spec 05-services.md "pre_start". */
export const preStartHook = attributes({ ...hookAttributes, image: text, per_replica: flag });

export const develop = nullable(
  attributes({
    watch: list(
      attributes({
        ignore: textOrList,
        include: textOrList,
        path: text,
        action: oneOf('rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'),
        target: text,
        exec: hook,
        initial_sync: flag,
      }),
    ),
  }),
);
