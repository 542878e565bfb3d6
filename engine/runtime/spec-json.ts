/** config.json written and read without losing 64-bit integers, which JSON has and JavaScript's numbers have not. */
import { StackError } from '../../schemas/errors.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';

/** ES2026 (JSON.parse source text access), which Node has since 21 and TypeScript's library not yet. */
const json = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

/** @param indent spaces; 0 writes one line. */
export const writeSpec = (spec: RuntimeSpec, indent = 0): string => toJson(spec, indent);

/** Any document that may hold bigints, which are written as the integers they are. */
export function toJson(spec: unknown, indent = 0): string {
  try {
    // Without a replacer it is several times faster, and a bigint is rare: JSON.stringify refuses it.
    return JSON.stringify(spec, undefined, indent);
  } catch {
    const exact = (_: string, value: unknown) => (typeof value === 'bigint' ? json.rawJSON(String(value)) : value);
    return JSON.stringify(spec, exact, indent);
  }
}

/** Integers beyond Number.MAX_SAFE_INTEGER become bigints. @throws config.value where it is not JSON. */
export const readSpec = (text: string, file: string): RuntimeSpec =>
  parseExact(text, file, 'A bundle needs a config.json of the OCI runtime-spec.') as RuntimeSpec;

/** Any document, the same way. @param hint what to do where it is not JSON. */
export function parseExact(text: string, file: string, hint: string): unknown {
  try {
    return mayHoldWideInteger.test(text) ? json.parse(text, exactInteger) : JSON.parse(text);
  } catch (cause) {
    throw new StackError('config.value', {
      message: `${file} is not valid JSON: ${printable((cause as Error).message)}`,
      hint,
      resource: file,
      cause,
    });
  }
}

/** The parser quotes what it stumbled over, which could speak to a terminal. */
const printable = (text: string) =>
  text.replace(/[\0-\x1f\x7f-\x9f]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** Number.MAX_SAFE_INTEGER has 16 digits. */
const mayHoldWideInteger = /\d{16}/;

function exactInteger(_: string, value: unknown, { source }: { source?: string }): unknown {
  const isWide = typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '');
  return isWide ? BigInt(source!) : value;
}
