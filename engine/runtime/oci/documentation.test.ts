import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { runtimeSpec } from '../../../schemas/oci-runtime.schema.ts';
import { sound } from './config.fixture.ts';

const root = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/runtime.md', root), 'utf8');
const rows = [...page.matchAll(/^\| `([^`]+)` +\| (.+?) +\| `([^`]+)` › (.+?) +\|$/gm)].map(
  ([, property, what, file, title]) => ({ property: property!, what: what!, file: file!, title: title! }),
);

interface Definition {
  type: string;
  innerType?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  shape?: Record<string, z.core.$ZodType>;
}

/** Every property below a type, as the table names it; with the value that stands there in the sound document. */
function properties(type: z.core.$ZodType, path: string, value: unknown, out: Map<string, unknown>): typeof out {
  const { def } = type as unknown as { def: Definition };
  if (def.type === 'optional') return properties(def.innerType!, path, value, out);
  if (def.type === 'array') {
    const items = (value ?? []) as Record<string, unknown>[];
    return properties(
      def.element!,
      `${path}[]`,
      Object.assign({}, ...items.filter((one) => typeof one === 'object')),
      out,
    );
  }
  if (def.type === 'record') {
    return properties(def.valueType!, `${path}.*`, Object.values((value ?? {}) as object)[0], out);
  }
  if (def.type !== 'object') return out;
  for (const [name, inner] of Object.entries(def.shape!)) {
    const here = (value as Record<string, unknown> | undefined)?.[name];
    out.set(path ? `${path}.${name}` : name, here);
    properties(inner, path ? `${path}.${name}` : name, here, out);
  }
  return out;
}

const all = properties(runtimeSpec, '', sound, new Map());

test('the table of docs/runtime.md has every property of config.json, once, in the order of the schema', () => {
  expect(rows.length).toBe(page.split('\n').filter((line) => line.startsWith('| `')).length);
  expect(rows.map(({ property }) => property)).toEqual([...all.keys()]);
});

test('each test the table names exists', () => {
  const sources = new Map<string, string>();
  for (const { property, file, title } of rows) {
    const place = new URL(file, root);
    if (!sources.has(file)) sources.set(file, existsSync(place) ? readFileSync(place, 'utf8') : '');
    expect(sources.get(file), `${property}: ${file} › ${title}`).toContain(title);
  }
});

test('the sound document, which the table leans on, has every property', () => {
  expect([...all].filter(([, value]) => value === undefined)).toEqual([]);
});
