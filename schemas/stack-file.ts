/**
 * The stack file as people write it, short and long forms alike, for one file before merging. Source: compose-spec and
 * its JSON schema. Only shapes and names are checked here; values (ports, durations, sizes) by the phase that reads them.
 */
import * as z from 'zod/mini';
import { service } from './stack-file/service.ts';
import {
  attributes,
  flag,
  integer,
  list,
  listOrMapping,
  mapping,
  nullable,
  options,
  text,
  textOrList,
  texts,
} from './stack-file/values.ts';

const external = z.union([flag, attributes({ name: text })], { error: 'true, false or a mapping with name' });

const network = attributes({
  name: text,
  driver: text,
  driver_opts: options,
  ipam: attributes({
    driver: text,
    config: list(attributes({ subnet: text, ip_range: text, gateway: text, aux_addresses: mapping(text) })),
    options: mapping(text),
  }),
  external,
  internal: flag,
  enable_ipv4: flag,
  enable_ipv6: flag,
  attachable: flag,
  labels: listOrMapping,
});

const volume = attributes({ name: text, driver: text, driver_opts: options, external, labels: listOrMapping });

const file = {
  name: text,
  file: text,
  environment: text,
  external,
  labels: listOrMapping,
  template_driver: text,
};

export const stackFile = attributes({
  version: z.union([z.string(), z.number()], { error: 'a string' }),
  name: text,
  include: list(
    z.union([text, attributes({ path: textOrList, env_file: textOrList, project_directory: text })], {
      error: 'a path or a mapping',
    }),
  ),
  services: nullable(mapping(nullable(service))),
  models: nullable(mapping(attributes({ name: text, model: text, context_size: integer, runtime_flags: texts }))),
  networks: nullable(mapping(nullable(network))),
  volumes: nullable(mapping(nullable(volume))),
  secrets: nullable(mapping(nullable(attributes({ ...file, driver: text, driver_opts: options })))),
  configs: nullable(mapping(nullable(attributes({ ...file, content: text })))),
});
export type StackFile = z.infer<typeof stackFile>;
