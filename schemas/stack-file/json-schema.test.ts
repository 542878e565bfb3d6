import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stackFileJsonSchema } from './json-schema.ts';

const file = join(import.meta.dirname, '..', 'stack-file.schema.json');

test('schemas/stack-file.schema.json is current; `npm run schema` writes it', () => {
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(stackFileJsonSchema())));
});

test('every mapping that refuses unknown attributes takes those that begin with x-', () => {
  let closed = 0;
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ((node as { additionalProperties?: unknown }).additionalProperties === false) {
      closed++;
      expect(node).toMatchObject({ type: 'object', patternProperties: { '^x-': {} } });
    }
    Object.values(node).forEach(visit);
  };
  visit(stackFileJsonSchema());
  expect(closed).toBeGreaterThan(30);
});
