/**
 * The stack file as a JSON schema (draft-07, which every editor reads), made of the zod schema that the loader validates
 * with. `npm run schema` writes it to schemas/stack-file.schema.json.
 */
import * as z from 'zod/mini';
import { stackFile } from '../stack-file.ts';

interface Node {
  type?: unknown;
  properties?: object;
  propertyNames?: unknown;
  patternProperties?: object;
  additionalProperties?: unknown;
}

export function stackFileJsonSchema(): Record<string, unknown> {
  const made = z.toJSONSchema(stackFile, {
    target: 'draft-07',
    io: 'input',
    override({ jsonSchema }) {
      const node = jsonSchema as Node;
      // Says of a mapping's keys only that they are strings.
      delete node.propertyNames;
      if (node.additionalProperties === false) node.patternProperties = { '^x-': {} };
    },
  });
  const { $schema, ...rest } = made;
  return {
    $schema,
    title: 'Stack file',
    description: 'A Compose file as Stack reads it: services, networks, volumes, configs, secrets and models.',
    ...rest,
  };
}
