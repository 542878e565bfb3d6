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
  /** Set where the value was made by interpolation. */
  template?: Template;
  /** Set where the entry took the place of another. */
  over?: Shadowed;
}

/** What a value was before its variables were filled in. */
export interface Template {
  text: string;
  scope: Variables;
}

/** Variables one group of files sees. */
export interface Variables {
  lookup: (name: string) => string | undefined;
  /** Where a variable that has a value was given it. */
  origin: (name: string) => Origin | undefined;
}

/** A line of an env file, the environment of the process, or the name of the project. */
export type Origin = Place | 'environment' | 'project name';

/** How one value came to lie over another. */
export type Reason = 'file' | 'extends' | 'environment' | 'merge key';

export interface Shadowed {
  value: unknown;
  place: Place | undefined;
  reason: Reason;
}

export type Key = string | number;
export type Path = readonly Key[];

export class Places {
  readonly #entries: WeakMap<object, Map<Key, Place>>;
  readonly #reason: Reason;

  constructor(entries = new WeakMap<object, Map<Key, Place>>(), reason: Reason = 'file') {
    this.#entries = entries;
    this.#reason = reason;
  }

  /** The same places; what is replaced from here on is for this reason. */
  because(reason: Reason): Places {
    return new Places(this.#entries, reason);
  }

  /** Remembers that `place` holds now what `shadowed` held. Places are shared between holders, so a new one is made. */
  replace(holder: object, key: Key, place: Place | undefined, value: unknown, shadowed: Place | undefined): void {
    if (place) this.set(holder, key, above(place, { value, place: shadowed, reason: this.#reason }));
  }

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

  /** The place of the entry at `path`; undefined where it has none of its own. */
  exact(root: unknown, path: Path): Place | undefined {
    const holder = path
      .slice(0, -1)
      .reduce<unknown>((value, key) => (value as Record<Key, unknown> | null)?.[key], root);
    return typeof holder === 'object' && holder !== null && path.length > 0
      ? this.get(holder, path.at(-1)!)
      : undefined;
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

/** What `place` covers already is nearer to it than `shadowed`. */
function above(place: Place, shadowed: Shadowed): Place {
  const { over } = place;
  if (!over) return { ...place, over: shadowed };
  return { ...place, over: { ...over, place: over.place && above(over.place, shadowed) } };
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
