/** Converters that many attributes share: scalars, durations, sizes, lists and `NAME=value` pairs. */
import { posix } from 'node:path';
import { parseBytes } from './bytes.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { type Converter, collect, convertEntries, hasVariable, Spot } from './spot.ts';
import { splitCommand } from './words.ts';

const trueWords = new Set(['true', 't', 'y', 'yes', 'on', '1']);
const falseWords = new Set(['false', 'f', 'n', 'no', 'off', '0']);

export const asIs: Converter = (spot) => spot.value ?? undefined;

export const flag: Converter = (spot) => {
  if (typeof spot.value !== 'string') return spot.value ?? undefined;
  const word = spot.value.toLowerCase();
  if (trueWords.has(word)) return true;
  if (falseWords.has(word)) return false;
  return spot.fail(`expected true or false, found ${JSON.stringify(spot.value)}`);
};

export const number: Converter = (spot) => {
  if (typeof spot.value !== 'string') return spot.value ?? undefined;
  const value = spot.value.trim() === '' ? Number.NaN : Number(spot.value);
  if (Number.isFinite(value)) return value;
  return spot.fail(`expected a number, found ${JSON.stringify(spot.value)}`);
};

export const integer: Converter = (spot) => {
  const value = number(spot);
  if (value === undefined || Number.isInteger(value)) return value;
  return spot.fail(`expected a whole number, found ${value}`);
};

export const text: Converter = (spot) => (spot.value === null ? undefined : formatScalar(spot.value));

/** A scalar the way compose prints it in a string. */
export function formatScalar(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

export const duration: Converter = (spot) => {
  const ms = parseDuration(String(spot.value));
  if (ms !== undefined && ms >= 0) return formatDuration(ms);
  return spot.fail(`${JSON.stringify(spot.value)} is no duration`, 'Write it like 1m30s, 10s or 500ms.');
};

/** A size in bytes, printed as digits. */
export const bytes: Converter = (spot) => {
  const size = parseBytes(spot.value as string | number);
  if (size !== undefined) return String(size);
  return spot.fail(`${JSON.stringify(spot.value)} is no size`, 'Write it like 512m, 1.5g or 1024.');
};

/** The same, where -1 means no limit. */
export const bytesOrUnlimited: Converter = (spot) => (String(spot.value) === '-1' ? '-1' : bytes(spot));

/** A list of strings; one string alone is a list of one. */
export const texts: Converter = (spot) => {
  if (spot.value === null) return undefined;
  if (!Array.isArray(spot.value)) return listOf(spot, [text(spot)]);
  return collect(spot, (item) => [text(item)]);
};

/** The same without repetitions, as a set is meant. */
export const uniqueTexts: Converter = (spot) => {
  if (spot.value === null) return undefined;
  const seen = new Set<unknown>();
  const isNew = (value: unknown) => !seen.has(value) && seen.add(value);
  if (!Array.isArray(spot.value)) return listOf(spot, [text(spot)]);
  return collect(spot, (item) => [text(item)].filter(isNew));
};

/** A list that one scalar stands for: every item has the scalar's place. */
function listOf(spot: Spot, values: unknown[]): unknown[] {
  const list: unknown[] = [];
  for (const value of values) spot.put(list, list.length, value);
  return list;
}

/** A command: a string is split into words, null is kept (the image's own is used), an empty one is an empty list. */
export const command: Converter = (spot) => {
  if (spot.value === null) return null;
  if (Array.isArray(spot.value)) return texts(spot);
  // Only what the variables stand for tells how many words it is.
  if (spot.setting.keepsVariables && hasVariable(spot.value)) return spot.value;
  const text = String(spot.value);
  const split = splitCommand(text);
  if (!split) return spot.fail('a quote is not closed', 'Close it, or write the command as a list.');
  if (split.endsAt !== undefined) {
    const operator = /^(?:&&|\|\||.)/.exec(text.slice(split.endsAt))![0];
    spot.warn(
      `no shell runs this command: ${operator} and everything after it is left out`,
      'Have a shell run it, as a list: ["sh", "-c", "…"].',
    );
  }
  return listOf(spot, split.words);
};

/** Pairs as a mapping of strings; a name without a value gets `missing`. */
export function pairs(missing: string | null | undefined, separators = '='): Converter {
  return (spot) => {
    if (spot.value === null) return undefined;
    const result: Record<string, unknown> = {};
    for (const entry of spot.children()) {
      if (!Array.isArray(spot.value)) {
        entry.put(result, entry.key, entry.value === null ? missing : formatScalar(entry.value));
        continue;
      }
      const line = formatScalar(entry.value);
      const at = [...line].findIndex((char) => separators.includes(char));
      const name = at === -1 ? line : line.slice(0, at);
      if (name === '') entry.fail(`${JSON.stringify(line)} has no name`, 'Write NAME=value.');
      else entry.put(result, name, at === -1 ? missing : line.slice(at + 1));
    }
    return result;
  };
}

export const labels = pairs('');
const windowsPath = /^(?:[A-Za-z]:[\\/]|\\\\)/;

/** An absolute path; one that is absolute already stays as written. Relative to the file's directory, `~` for the home directory. */
export function absolutePath(spot: Spot, path: string): string {
  const { home, directory, keepsPaths } = spot.setting;
  if (keepsPaths) return path;
  if ((path === '~' || path.startsWith('~/')) && home) return posix.join(home, path.slice(1));
  return path.startsWith('/') || windowsPath.test(path) ? path : posix.resolve(directory, path);
}

/** The same for a file that a later phase reads: it is found wherever the path came from. */
export const readPath: Converter = (spot) => {
  const { keepsFiles, keepsPaths } = spot.setting;
  const setting = { ...spot.setting, keepsPaths: keepsPaths === true && keepsFiles === true };
  return path(new Spot(setting, spot.value, spot.path, spot.place));
};

export const path: Converter = (spot) => (spot.value === null ? undefined : absolutePath(spot, String(spot.value)));

/** An entry per name: converts each value of a mapping by the same converter. */
export function eachEntry(convert: Converter): Converter {
  return (spot) => {
    if (spot.value === null) return undefined;
    const result: Record<string, unknown> = {};
    for (const entry of spot.children()) entry.put(result, entry.key, convert(entry));
    return result;
  };
}

/** Options of a driver; one without a value is empty. */
export const stringOptions: Converter = eachEntry((spot) => formatScalar(spot.value));

/** A mapping by a table, or nothing. */
export function record(table: Record<string, Converter>): Converter {
  return (spot) => (spot.value === null ? undefined : convertEntries(spot, table));
}

/** A list of mappings by a table. */
export function recordList(table: Record<string, Converter>): Converter {
  return (spot) => (spot.value === null ? undefined : collect(spot, (item) => [convertEntries(item, table)]));
}
