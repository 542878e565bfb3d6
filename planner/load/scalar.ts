/**
 * What a plain scalar means. Source: YAML 1.2 core schema, with the integer forms compose's own reader also knows
 * (`0644` is octal, `1_000` is a thousand).
 */

const integer = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/;
const octal = /^([-+]?)0o?([0-7_]+)$/;
const hexadecimal = /^([-+]?)0x([0-9a-fA-F_]+)$/;
const binary = /^([-+]?)0b([01_]+)$/;

const words: Record<string, null | boolean | number> = {
  '': null,
  '~': null,
  null: null,
  Null: null,
  NULL: null,
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
  '.inf': Number.POSITIVE_INFINITY,
  '.Inf': Number.POSITIVE_INFINITY,
  '-.inf': Number.NEGATIVE_INFINITY,
  '.nan': Number.NaN,
  '.NaN': Number.NaN,
};

function based(found: RegExpExecArray, base: number): number {
  const value = Number.parseInt(found[2]!.replaceAll('_', ''), base);
  return found[1] === '-' ? -value : value;
}

/** The value of a plain scalar. Integers that a double cannot hold exactly stay text, so that no digit is lost. */
export function resolvePlain(text: string): string | number | boolean | null {
  if (Object.hasOwn(words, text)) return words[text]!;
  const first = text.charCodeAt(0);
  const isNumeric = (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46;
  if (!isNumeric) return text;
  if (integer.test(text)) {
    const value = Number(text.replaceAll('_', ''));
    return Number.isSafeInteger(value) ? value : text;
  }
  const found = octal.exec(text);
  if (found) return based(found, 8);
  const hex = hexadecimal.exec(text);
  if (hex) return based(hex, 16);
  const bits = binary.exec(text);
  if (bits) return based(bits, 2);
  if (float.test(text)) return Number(text.replaceAll('_', ''));
  return text;
}
