/**
 * Where every value of the model was written. Places stand beside the values, not inside them: each phase hands out new
 * plain objects and says which key came from where, so that a position survives interpolation, merging and normalising.
 */
import type { Position } from '../../schemas/errors.ts';

/** A text that was read: the file it came from (as the user named it) and where its lines begin. */
export class Source {
  readonly file: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** Position of the characters from offset `start` to `end` (exclusive); cut at the end of the first line. */
  position(start: number, end: number): Position {
    this.#lineStarts ??= lineStarts(this.text);
    const starts = this.#lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= start) low = middle;
      else high = middle - 1;
    }
    const lineEnd = (starts[low + 1] ?? this.text.length + 1) - 1;
    const length = Math.max(1, Math.min(end, lineEnd) - start);
    return { file: this.file, line: low + 1, column: start - starts[low]! + 1, length };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Offsets of one entry: `key` is undefined for items of a list. */
export interface Place {
  source: Source;
  keyStart?: number;
  keyEnd?: number;
  start: number;
  end: number;
}

export type Key = string | number;
export type Path = readonly Key[];

export class Places {
  readonly #entries = new WeakMap<object, Map<Key, Place>>();

  set(holder: object, key: Key, place: Place | undefined): void {
    if (!place) return;
    let entries = this.#entries.get(holder);
    if (!entries) {
      entries = new Map();
      this.#entries.set(holder, entries);
    }
    entries.set(key, place);
  }

  get(holder: object, key: Key): Place | undefined {
    return this.#entries.get(holder)?.get(key);
  }

  /** The innermost known place on the way down `path` from `root`. */
  find(root: unknown, path: Path): Place | undefined {
    let found: Place | undefined;
    let value = root;
    for (const key of path) {
      if (typeof value !== 'object' || value === null) break;
      const place = this.get(value, key);
      if (place) found = place;
      value = (value as Record<Key, unknown>)[key];
    }
    return found;
  }
}

/** Position of an entry's key, or of its value where it has no key or `part` asks for it. */
export function positionOf(place: Place | undefined, part: 'key' | 'value' = 'value'): Position | undefined {
  if (!place) return undefined;
  if (part === 'key' && place.keyStart !== undefined) return place.source.position(place.keyStart, place.keyEnd!);
  return place.source.position(place.start, place.end);
}

/** `services.web.ports.0` */
export function formatPath(path: Path): string {
  return path.join('.');
}
