/**
 * What a JSON document must look like, as data, and the walk that holds a document to it. Importing a validator library
 * takes longer than everything else `stack-runtime create` does; schemas/oci-runtime.schema.ts says the same in zod, and
 * structure.test.ts holds the two to each other.
 */
import { type Findings, shown } from './findings.ts';

export type Shape =
  | { kind: 'string'; pattern?: RegExp; otherwise?: string; isAbsentWhenEmpty?: boolean }
  | { kind: 'boolean' }
  /** A number that JavaScript holds exactly. */
  | { kind: 'integer'; min: number; max: number }
  /** Up to 64 bits: a number or a bigint. */
  | { kind: 'wide'; min: bigint; max: bigint }
  | { kind: 'choice'; values: readonly string[] /** Other spellings, replaced. */; aliases?: Record<string, string> }
  | { kind: 'list'; of: Shape; min: number }
  | { kind: 'map'; of: Shape }
  | { kind: 'object'; properties: [name: string, shape: Shape, isRequired: boolean][] };

export const text: Shape = { kind: 'string' };
export const flag: Shape = { kind: 'boolean' };
export const matching = (pattern: RegExp, otherwise: string): Shape => ({ kind: 'string', pattern, otherwise });
export const integer = (min: number, max: number): Shape => ({ kind: 'integer', min, max });
export const choice = (values: readonly string[], aliases?: Record<string, string>): Shape =>
  aliases ? { kind: 'choice', values, aliases } : { kind: 'choice', values };
export const list = (of: Shape, min = 0): Shape => ({ kind: 'list', of, min });
export const map = (of: Shape): Shape => ({ kind: 'map', of });

/** Names that end in `!` are required. */
export const object = (properties: Record<string, Shape>): Shape => ({
  kind: 'object',
  properties: Object.entries(properties).map(([name, shape]) => {
    const isRequired = name.endsWith('!');
    return [isRequired ? name.slice(0, -1) : name, shape, isRequired];
  }),
});

export const absolute = matching(/^\//, 'must be an absolute path');
export const uint16 = integer(0, 0xffff);
export const uint32 = integer(0, 0xffff_ffff);
export const exact = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
export const int64: Shape = { kind: 'wide', min: -(2n ** 63n), max: 2n ** 63n - 1n };
export const uint64: Shape = { kind: 'wide', min: 0n, max: 2n ** 64n - 1n };
export const strings = list(text);

/**
 * Reports what does not fit. A property that is null counts as absent, as it does to every runtime written in Go, and is
 * removed, so that whoever reads the document afterwards needs to know one kind of absence. Unknown properties pass
 * (config.md "Extensibility"), unseen.
 */
export function examine(shape: Shape, value: unknown, findings: Findings): void {
  switch (shape.kind) {
    case 'string':
      if (typeof value !== 'string') findings.type('must be a string');
      else if (!isSound(value)) findings.value(unsound(value));
      else if (shape.pattern && !shape.pattern.test(value)) findings.value(`${shape.otherwise}: ${shown(value)}`);
      break;
    case 'boolean':
      if (typeof value !== 'boolean') findings.type('must be true or false');
      break;
    case 'integer':
      if (!isInteger(value)) findings.type('must be an integer');
      else if (!Number.isSafeInteger(value) || value < shape.min || value > shape.max) {
        findings.value(`must be an integer from ${shape.min} to ${shape.max}: ${shown(value)}`);
      }
      break;
    case 'wide':
      if (!isInteger(value)) findings.type('must be an integer');
      else if ((typeof value === 'number' && !Number.isSafeInteger(value)) || value < shape.min || value > shape.max) {
        findings.value(`must be an integer from ${shape.min} to ${shape.max}: ${shown(value)}`);
      }
      break;
    case 'choice':
      if (typeof value !== 'string') findings.type('must be a string');
      else if (!shape.values.includes(value)) {
        findings.value(`must be one of ${shape.values.join(', ')}: ${shown(value)}`);
      }
      break;
    case 'list':
      if (!Array.isArray(value)) findings.type('must be a list');
      else if (value.length < shape.min) findings.value('must not be empty');
      else for (let at = 0; at < value.length; at++) descend(shape.of, value, at, findings);
      break;
    case 'map':
      if (!isObject(value)) findings.type('must be an object');
      else {
        for (const key of Object.keys(value)) {
          if (value[key] === null) {
            delete value[key];
            continue;
          }
          if (!isSound(key)) {
            findings.value(`has a name that ${unsound(key)}`);
            continue;
          }
          descend(shape.of, value, key, findings);
        }
      }
      break;
    case 'object':
      if (!isObject(value)) findings.type('must be an object');
      else for (const property of shape.properties) member(property, value, findings);
  }
}

function member([name, shape, isRequired]: [string, Shape, boolean], holder: Bag, findings: Findings): void {
  if (holder[name] === null || (holder[name] === '' && shape.kind === 'string' && shape.isAbsentWhenEmpty)) {
    delete holder[name];
  }
  const value = holder[name];
  if (value === undefined) {
    if (!isRequired) return;
    findings.keys.push(name);
    findings.type('is missing');
    findings.keys.pop();
    return;
  }
  if (shape.kind === 'choice' && typeof value === 'string' && Object.hasOwn(shape.aliases ?? {}, value)) {
    holder[name] = shape.aliases![value];
  }
  descend(shape, holder, name, findings);
}

type Bag = Record<string | number, unknown>;

function descend(shape: Shape, holder: object, key: string | number, findings: Findings): void {
  findings.keys.push(key);
  examine(shape, (holder as Bag)[key], findings);
  findings.keys.pop();
}

const isObject = (value: unknown): value is Bag => typeof value === 'object' && value !== null && !Array.isArray(value);

const isInteger = (value: unknown): value is number | bigint => typeof value === 'bigint' || Number.isInteger(value);

/** Whether the kernel can be handed it: it reads up to the first NUL, and half a surrogate pair has no UTF-8. */
const isSound = (value: string) => !value.includes('\0') && value.isWellFormed();

const unsound = (value: string) =>
  value.includes('\0')
    ? `contains a NUL character, where the kernel would cut it off: ${shown(value)}`
    : `contains half a surrogate pair, which is no text: ${shown(value)}`;
