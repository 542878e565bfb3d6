/** `deploy`. Source: compose-spec deploy.md. */
import * as z from 'zod/mini';
import {
  attributes,
  integer,
  list,
  listOrMapping,
  nullable,
  number,
  oneOf,
  text,
  textOrNumber,
  texts,
} from './values.ts';

const device = { capabilities: texts, count: textOrNumber, device_ids: texts, driver: text, options: listOrMapping };
const rollout = attributes({
  parallelism: integer,
  delay: text,
  failure_action: text,
  monitor: text,
  max_failure_ratio: number,
  order: oneOf('start-first', 'stop-first'),
});

export const gpus = z.union([z.literal('all'), list(attributes(device))], { error: 'all or a list of devices' });

export const deploy = nullable(
  attributes({
    mode: text,
    endpoint_mode: text,
    replicas: integer,
    labels: listOrMapping,
    rollback_config: rollout,
    update_config: rollout,
    resources: attributes({
      limits: attributes({ cpus: number, memory: textOrNumber, pids: integer }),
      reservations: attributes({
        cpus: number,
        memory: textOrNumber,
        generic_resources: list(attributes({ discrete_resource_spec: attributes({ kind: text, value: number }) })),
        devices: list(attributes(device)),
      }),
    }),
    restart_policy: attributes({ condition: text, delay: text, max_attempts: integer, window: text }),
    placement: attributes({
      constraints: texts,
      preferences: list(attributes({ spread: text })),
      max_replicas_per_node: integer,
    }),
  }),
);
