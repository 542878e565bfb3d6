/**
 * Where a value of the stack comes from: the place it was written, the variables it was made of, and what it took the
 * place of. The loader keeps all of it beside the places (planner/load/places.ts).
 */
import { type Position, StackError } from '../../schemas/errors.ts';
import type { Loaded } from '../load/load.ts';
import { type Origin, type Place, positionOf, type Reason } from '../load/places.ts';
import { nearest } from '../load/suggest.ts';
import { expand } from '../load/template.ts';
import { allVariables } from '../load/variables.ts';

type Path = (string | number)[];

export interface Explanation {
  /** `services.web.environment.KEY` */
  path: string;
  value: unknown;
  /** Undefined: no file says it, it is what Stack does by itself. */
  where?: Position | undefined;
  /** It is not written there itself, but follows from what is: part of a short form, or what goes without saying. */
  isImplied: boolean;
  /** Text before interpolation, where there was any. */
  template?: string | undefined;
  variables: UsedVariable[];
  /** What the value took the place of, the nearest first. */
  over: Replaced[];
}

export interface UsedVariable {
  name: string;
  /** Undefined: it is not set. */
  value?: string | undefined;
  from: Position | 'environment' | 'project name' | 'default in the file' | 'not set';
}

export interface Replaced {
  value: unknown;
  where?: Position | undefined;
  reason: Reason;
}

/**
 * Explains every value at or below `path`, a dotted path into what `stack config` prints.
 * @throws StackError `usage` where nothing is there
 */
export function explain({ project, place }: Loaded, path: string): Explanation[] {
  const keys = follow(project, path);
  const value = keys.reduce<unknown>((holder, key) => (holder as Record<string | number, unknown>)[key], project);
  return leaves(value, keys).map(([each, leaf]) => {
    const { written, isImplied } = writtenAt(each, place);
    return {
      path: each.join('.'),
      value: leaf,
      where: positionOf(written, 'key'),
      isImplied,
      template: written?.template?.text,
      variables: variables(written),
      over: replaced(written),
    };
  });
}

function writtenAt(path: Path, place: Loaded['place']): { written?: Place | undefined; isImplied: boolean } {
  // What a service as a whole says nothing of does not follow from its being there.
  const shortest = path[0] === 'services' ? 3 : 2;
  for (let length = path.length; length >= Math.min(shortest, path.length); length--) {
    const written = place(path.slice(0, length));
    if (written) return { written, isImplied: length < path.length };
  }
  return { isImplied: false };
}

function leaves(value: unknown, path: Path): [Path, unknown][] {
  const isHollow = typeof value !== 'object' || value === null || Object.keys(value).length === 0;
  if (isHollow) return value === undefined ? [] : [[path, value]];
  const keys: Path = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => leaves((value as Record<string | number, unknown>)[key], [...path, key]));
}

/** The keys of a dotted path. Keys may have dots of their own: the longest one that is there is meant. */
function follow(root: unknown, path: string): Path {
  const words = path.split('.');
  const keys: Path = [];
  let value = root;
  for (let at = 0; at < words.length; ) {
    const holder = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
    let end = words.length;
    while (end > at && !Object.hasOwn(holder, words.slice(at, end).join('.'))) end--;
    const key = words.slice(at, end).join('.');
    if (end === at) throw nothingAt(path, keys, words[at]!, Object.keys(holder));
    keys.push(Array.isArray(holder) ? Number(key) : key);
    value = holder[key];
    at = end;
  }
  return keys;
}

function nothingAt(path: string, keys: Path, wanted: string, there: string[]): StackError {
  const meant = nearest(wanted, there);
  const holder = keys.length === 0 ? 'the stack' : keys.join('.');
  return new StackError('usage', {
    message: `There is no ${path}: ${holder} has no ${wanted}.`,
    hint: meant
      ? `Did you mean \`${[...keys, meant].join('.')}\`?`
      : there.length > 0
        ? `It has ${there.slice(0, 20).join(', ')}.`
        : `\`stack config\` prints what is there.`,
  });
}

function variables(place: Place | undefined): UsedVariable[] {
  if (!place?.template) return [];
  const { text, scope } = place.template;
  const defaults = allVariables(text);
  // Only what is looked up counts: the word of a branch that is not taken says nothing.
  const asked = new Set<string>();
  expand(text, (name) => {
    asked.add(name);
    return scope.lookup(name);
  });
  return [...asked].map((name) => {
    const value = scope.lookup(name);
    if (value !== undefined) return { name, value, from: shownOrigin(scope.origin(name)) };
    const word = defaults.get(name)?.default;
    return word ? { name, value: word, from: 'default in the file' } : { name, from: 'not set' };
  });
}

function shownOrigin(origin: Origin | undefined): UsedVariable['from'] {
  return typeof origin === 'object' ? positionOf(origin, 'key')! : (origin ?? 'environment');
}

function replaced(place: Place | undefined): Replaced[] {
  const list: Replaced[] = [];
  for (let over = place?.over; over; over = over.place?.over) {
    list.push({ value: over.value, where: positionOf(over.place, 'key'), reason: over.reason });
  }
  return list;
}
