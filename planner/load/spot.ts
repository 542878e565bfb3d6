/** One value of the model under way: where it hangs, where it was written, and how to complain about it. */
import { type ErrorCode, StackError } from '../../schemas/errors.ts';
import { formatPath, type Key, type Path, type Place, type Places, positionOf } from './places.ts';
import type { Problems } from './problems.ts';
import { define } from './read.ts';

export interface Setting {
  places: Places;
  problems: Problems;
  /** Directory that relative paths of this file begin at. */
  directory: string;
  /** Directory that `~` stands for. */
  home: string | undefined;
  /** Relative paths stay as they are written. */
  keepsPaths?: boolean;
  /** Files of variables and labels are named, not read. */
  keepsFiles?: boolean;
  /** Variables are not filled in: a value with one in it that cannot be converted stays as it is written. */
  keepsVariables?: boolean;
}

export class Spot {
  readonly setting: Setting;
  readonly value: unknown;
  readonly path: Path;
  readonly place: Place | undefined;

  constructor(setting: Setting, value: unknown, path: Path, place: Place | undefined) {
    this.setting = setting;
    this.value = value;
    this.path = path;
    this.place = place;
  }

  child(key: Key): Spot {
    const holder = this.value as Record<Key, unknown>;
    return new Spot(this.setting, holder[key], [...this.path, key], this.setting.places.get(holder, key) ?? this.place);
  }

  /** The entries of a mapping or the items of a list that are there. */
  children(): Spot[] {
    const holder = this.value as object;
    const keys: Key[] = Array.isArray(holder) ? [...holder.keys()] : Object.keys(holder);
    return keys.map((key) => this.child(key)).filter((child) => child.value !== undefined);
  }

  get key(): string {
    return String(this.path.at(-1));
  }

  /** Reports the value as wrong; answers undefined, so that a converter may return it. */
  fail(message: string, hint?: string, code: ErrorCode = 'config.value'): undefined {
    const name = formatPath(this.path);
    this.setting.problems.errors.push(
      new StackError(code, { message: `${name}: ${message}`, hint, where: positionOf(this.place), resource: name }),
    );
    return undefined;
  }

  /** Tells that the value loads and is probably not meant. */
  warn(message: string, hint: string): void {
    const name = formatPath(this.path);
    this.setting.problems.warn('config.surprise', {
      message: `${name}: ${message}`,
      hint,
      where: positionOf(this.place),
      resource: name,
    });
  }

  /** Puts `value` into `holder` and remembers that it was written here. Nothing is put for undefined. */
  put(holder: object, key: Key, value: unknown): void {
    if (value === undefined) return;
    define(holder, key, value);
    this.setting.places.set(holder, key, this.place);
  }
}

/** Turns a value as written into its canonical form; undefined where it is absent or was reported as wrong. */
export type Converter = (spot: Spot) => unknown;

function attempt<T>(spot: Spot, convert: (spot: Spot) => T, asWritten: T): T {
  const { keepsVariables, problems } = spot.setting;
  const before = problems.errors.length;
  const value = convert(spot);
  if (!keepsVariables || problems.errors.length === before || !hasVariable(spot.value)) return value;
  problems.errors.length = before;
  return asWritten;
}

export function hasVariable(value: unknown): value is string {
  return typeof value === 'string' && value.includes('$');
}

/** A list made of what the items convert to, each to any number of values. */
export function collect(spot: Spot, convert: (item: Spot) => unknown[]): unknown[] {
  const list: unknown[] = [];
  for (const item of spot.children()) {
    for (const value of attempt(item, convert, [item.value]))
      if (value !== undefined) item.put(list, list.length, value);
  }
  return list;
}

/** Converts the entries of a mapping by a table of converters; keys the table does not name are kept as they are. */
export function convertEntries(spot: Spot, table: Record<string, Converter>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const entry of spot.children()) {
    const convert = Object.hasOwn(table, entry.key) ? table[entry.key]! : undefined;
    entry.put(result, entry.key, convert ? attempt(entry, convert, entry.value) : entry.value);
  }
  return result;
}
