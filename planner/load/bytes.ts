/** Byte sizes as the stack file writes them. Source: compose-spec 11-extension.md "Specifying byte values". */

const pattern = /^(\d+(?:\.\d+)?|\.\d+) ?(?:([kmgtp])i?b?|b)?$/i;
const power: Record<string, number> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes of `512m`, `1.5G`, `10kb`, `64MiB`, `1024`: every unit counts in powers of 1024. Undefined where it is no size. */
export function parseBytes(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.trunc(value) : undefined;
  const found = pattern.exec(value.trim());
  if (!found) return undefined;
  const factor = found[2] ? 1024 ** power[found[2].toLowerCase()]! : 1;
  return Math.trunc(Number(found[1]) * factor);
}
