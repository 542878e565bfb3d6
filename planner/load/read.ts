/** Phase 1: text → plain values with their places. Anchors, merge keys, `!reset` and `!override` are resolved here. */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml';
import { readDirect } from './direct.ts';
import { type Key, type Path, type Place, type Places, positionOf, type Source } from './places.ts';
import type { Problems } from './problems.ts';
import { resolvePlain } from './scalar.ts';

/** One YAML document. `cleared` are the paths under `!reset` or `!override`: what earlier files say there is dropped. */
export interface Document {
  root: Record<string, unknown>;
  cleared: Path[];
}

/** Aliases may repeat at most this many values: enough for any real file, far too few for an exponential one. */
const aliasLimit = 200_000;
const str = 'tag:yaml.org,2002:str';
const nothing = 'tag:yaml.org,2002:null';

/** The documents of `source`; what is wrong is reported. */
export function read(source: Source, places: Places, problems: Problems): Document[] {
  try {
    const root = readDirect(source, places);
    return root ? [{ root, cleared: [] }] : readWhole(source, places, problems);
  } catch (thrown) {
    // The readers are recursive: only a text made for it is nested deeply enough to exhaust the stack.
    if (!(thrown instanceof RangeError)) throw thrown;
    problems.error('config.yaml', { message: `${source.file} is nested too deeply`, where: source.position(0, 0) });
    return [];
  }
}

/** The same by the yaml package alone. */
export function readWhole(source: Source, places: Places, problems: Problems): Document[] {
  const parsed = parseAllDocuments(source.text, {
    schema: 'failsafe',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
    stringKeys: false,
  });
  if (!Array.isArray(parsed)) return [];
  const documents: Document[] = [];
  for (const document of parsed) {
    for (const error of document.errors) {
      problems.error('config.yaml', {
        message: error.message.replace(/\.?$/, ''),
        hint: hints[error.message.includes('and end with a') ? 'MISSING_CHAR' : error.code],
        where: errorPosition(source, error.pos),
      });
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    const reader = new Reader(source, places, problems);
    const value = reader.value(document.contents, []);
    if (value === null) continue;
    if (typeof value !== 'object' || Array.isArray(value)) {
      const [start, end] = document.contents.range;
      problems.error('config.type', {
        message: `a stack file is a mapping of services, networks and volumes, not ${kindOf(value)}`,
        where: source.position(start, end),
      });
      continue;
    }
    documents.push({ root: value as Record<string, unknown>, cleared: reader.cleared });
  }
  return documents;
}

/** What usually is the matter, by the yaml package's error codes. */
const hints: Record<string, string> = {
  BAD_INDENT: 'Begin entries of one mapping or list in the same column.',
  BLOCK_AS_IMPLICIT_KEY: 'Quote a value that has a colon followed by a space in it.',
  MISSING_CHAR: 'Close the quote or the bracket that was opened.',
  MULTILINE_IMPLICIT_KEY: 'Write a colon after the key, or quote a value that spans lines.',
  TAB_AS_INDENT: 'Indent with spaces.',
  BAD_SCALAR_START: 'Quote a value that begins with this character.',
  BAD_DQ_ESCAPE: 'Use single quotes to have backslashes stand for themselves.',
};

/** Where the text ended too early the last thing written is pointed at. */
function errorPosition(source: Source, [start, end]: [number, number]) {
  const before = source.text.slice(0, start).trimEnd().length;
  const isAtEnd = source.text.slice(start).trim() === '';
  if (isAtEnd && before > 0) return source.position(before - 1, before);
  const indent = /^ */.exec(source.text.slice(start, end))![0].length;
  return source.position(start + indent, end);
}

/** `a string`, `a list`: how an error names what it found. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return `a ${typeof value}`;
}

class Reader {
  readonly cleared: Path[] = [];
  readonly #source: Source;
  readonly #places: Places;
  readonly #covers: Places;
  readonly #problems: Problems;
  readonly #anchors = new Map<string, { value: unknown; size: number }>();
  #size = 0;
  #repeated = 0;

  constructor(source: Source, places: Places, problems: Problems) {
    this.#source = source;
    this.#places = places;
    this.#covers = places.because('merge key');
    this.#problems = problems;
  }

  value(node: Node | null, path: Key[]): unknown {
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node);
    const before = this.#size++;
    let value: unknown = null;
    if (isScalar(node)) {
      const isPlain = node.type === 'PLAIN' && node.tag !== str;
      value = isPlain ? resolvePlain(node.source ?? '') : node.tag === nothing ? null : node.value;
    } else if (isMap(node)) value = this.#map(node as YAMLMap.Parsed, path);
    else if (isSeq(node)) {
      const list: unknown[] = [];
      for (const item of node.items as ParsedNode[]) {
        this.#places.set(list, list.length, this.#place(item));
        list.push(this.value(item, [...path, list.length]));
      }
      value = list;
    }
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor) this.#anchors.set(anchor, { value, size: this.#size - before });
    return value;
  }

  #alias(node: Alias): unknown {
    const target = this.#anchors.get(node.source);
    const where = this.#source.position(node.range![0], node.range![1]);
    if (!target) {
      this.#problems.error('config.yaml', { message: `alias *${node.source} stands for no earlier anchor`, where });
      return null;
    }
    const before = this.#repeated;
    this.#size += target.size;
    this.#repeated += target.size;
    if (this.#repeated <= aliasLimit) return target.value;
    if (before <= aliasLimit) {
      this.#problems.error('config.yaml', {
        message: `aliases repeat more than ${aliasLimit} values`,
        hint: 'Nested aliases grow exponentially: write the values out or split the file.',
        where,
      });
    }
    return null;
  }

  #map(node: YAMLMap.Parsed, path: Key[]): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    const merged: unknown[] = [];
    const seen = new Map<string, Place | undefined>();
    for (const pair of node.items) {
      const key = this.#key(pair.key);
      if (key === undefined) continue;
      const isMergeKey = key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN';
      if (isMergeKey) {
        const value = this.value(pair.value, path);
        for (const one of Array.isArray(value) ? value : [value]) {
          if (typeof one === 'object' && one !== null && !Array.isArray(one)) merged.push(one);
          else if (one !== null) this.#wrong(pair.value ?? pair.key, `<< takes a mapping, not ${kindOf(one)}`);
        }
        continue;
      }
      const place = this.#place(pair.value ?? pair.key, pair.key);
      if (seen.has(key)) {
        this.#problems.error('config.yaml', {
          message: `${[...path, key].join('.')} is given twice`,
          where: positionOf(place, 'key'),
          other: positionOf(seen.get(key), 'key'),
        });
        continue;
      }
      seen.set(key, place);
      const tag = pair.value?.tag;
      if (tag === '!reset' || tag === '!override') this.cleared.push([...path, key]);
      if (tag === '!reset') continue;
      define(map, key, this.value(pair.value, [...path, key]));
      this.#places.set(map, key, place);
    }
    for (const one of merged as Record<string, unknown>[]) {
      for (const key of Object.keys(one)) {
        if (Object.hasOwn(map, key) || seen.has(key)) {
          const place = this.#places.get(map, key);
          if (place && seen.has(key)) this.#covers.replace(map, key, place, one[key], this.#places.get(one, key));
          continue;
        }
        define(map, key, one[key]);
        this.#places.set(map, key, this.#places.get(one, key));
      }
    }
    return map;
  }

  #key(node: ParsedNode): string | undefined {
    if (isScalar(node)) return String(node.value ?? node.source ?? '');
    if (isAlias(node)) {
      const value = this.#alias(node);
      if (typeof value === 'string') return value;
    }
    this.#wrong(node, 'a key is a plain word, not a list or a mapping');
    return undefined;
  }

  #wrong(node: ParsedNode, message: string): void {
    this.#problems.error('config.type', { message, where: this.#source.position(node.range[0], node.range[1]) });
  }

  #place(node: ParsedNode, key?: ParsedNode): Place {
    const place: Place = { source: this.#source, start: node.range[0], end: node.range[1] };
    if (key) {
      place.keyStart = key.range[0];
      place.keyEnd = key.range[1];
    }
    return place;
  }
}

/** Sets an own property, `__proto__` included. */
export function define(holder: object, key: Key, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true });
  else (holder as Record<Key, unknown>)[key] = value;
}
