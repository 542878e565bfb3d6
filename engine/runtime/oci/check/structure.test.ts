import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { runtimeSpec } from '../../../../schemas/oci-runtime.schema.ts';
import { readSpec } from '../../spec-json.ts';
import { type Damage, damaged, damages, extent } from '../config-fuzz.fixture.ts';
import { Findings } from './findings.ts';
import { examine, type Shape } from './shape.ts';
import { configShape } from './structure.ts';

/** Every property with its kind: `linux.devices[].path string!`, where `!` stands for required. */
function ofShape(shape: Shape, path: string, out: string[]): string[] {
  if (shape.kind === 'list') return ofShape(shape.of, `${path}[]`, out);
  if (shape.kind === 'map') return ofShape(shape.of, `${path}{}`, out);
  if (shape.kind !== 'object') return out;
  for (const [name, inner, isRequired] of shape.properties) {
    const at = path ? `${path}.${name}` : name;
    out.push(`${at}${isRequired ? '!' : ''}`);
    ofShape(inner, at, out);
  }
  return out;
}

function ofZod(type: z.core.$ZodType, path: string, out: string[]): string[] {
  const { def } = type as unknown as { def: Definition };
  if (def.type === 'optional') return ofZod(def.innerType!, path, out);
  if (def.type === 'array') return ofZod(def.element!, `${path}[]`, out);
  if (def.type === 'record') return ofZod(def.valueType!, `${path}{}`, out);
  if (def.type !== 'object') return out;
  for (const [name, inner] of Object.entries(def.shape!)) {
    const at = path ? `${path}.${name}` : name;
    const isOptional = (inner as unknown as { def: Definition }).def.type === 'optional';
    out.push(`${at}${isOptional ? '' : '!'}`);
    ofZod(inner, at, out);
  }
  return out;
}

interface Definition {
  type: string;
  innerType?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  shape?: Record<string, z.core.$ZodType>;
}

test('the shape and the zod schema have the same properties, required in the same places', () => {
  const properties = ofShape(configShape, '', []);
  expect(properties.length).toBeGreaterThan(200);
  expect(properties.sort()).toEqual(ofZod(runtimeSpec, '', []).sort());
});

/** Whether both take the document; undefined where it is none, or zod cannot be asked. @throws where they disagree. */
function taken(list: Damage[]): boolean | undefined {
  const text = damaged(list).toString('utf8');
  // zod passes over a property of this name where it may have any.
  if (text.includes('"__proto__"')) return undefined;
  let spec: object;
  try {
    spec = readSpec(text, '');
  } catch {
    return undefined;
  }
  const findings = new Findings();
  // Takes nulls and other spellings out, which zod then need not know.
  examine(configShape, spec, findings);
  if (runtimeSpec.safeParse(spec).success !== findings.isClean)
    expect.fail(`they disagree (${findings.isClean}): ${text}`);
  return findings.isClean;
}

test('they take and refuse the same documents: every value at every place', { timeout: 60_000 }, () => {
  const tally = { true: 0, false: 0, undefined: 0 };
  for (let at = 0; at < extent.places; at++) {
    for (let value = 0; value < extent.values; value++) tally[`${taken([{ kind: 0, at, value }])}`]++;
  }
  expect(Math.min(tally.true, tally.false)).toBeGreaterThan(3000);
});

test('they take and refuse the same documents: several things wrong', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(damages, (list) => void taken(list)),
    { numRuns: 3000 },
  );
});
