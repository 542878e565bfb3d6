import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { runtimeSpec } from '../../../../schemas/oci-runtime.schema.ts';
import { readSpec } from '../../spec-json.ts';
import { damaged, damages } from '../config-fuzz.fixture.ts';
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

test('they take and refuse the same documents', { timeout: 60_000 }, () => {
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(damages, (list) => {
      const text = damaged(list).toString('utf8');
      // zod passes over a property of this name where it may have any, and so could not be asked.
      if (text.includes('"__proto__"')) return;
      let spec: object;
      try {
        spec = readSpec(text, '');
      } catch {
        return;
      }
      const findings = new Findings();
      // Takes nulls and other spellings out, which zod then need not know.
      examine(configShape, spec, findings);
      if (findings.isClean) taken++;
      else refused++;
      expect(runtimeSpec.safeParse(spec).success, text).toBe(findings.isClean);
    }),
    { numRuns: 5000 },
  );
  expect(Math.min(taken, refused)).toBeGreaterThan(300);
});
