/**
 * Damaged documents for the parsers of config.json. A sound one is changed at a few places: wrong types, numbers beyond
 * every range, deep nesting, names of Object.prototype, NULs and half characters, and text cut or mixed up as bytes.
 */
import fc from 'fast-check';
import { StackError } from '../../../schemas/errors.ts';
import type { RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { writeSpec } from '../spec-json.ts';
import { bundle, sound } from './config.fixture.ts';
import { checkConfig, loadProcess, loadResources } from './config.ts';

/** A change at a place of the document's text or tree, as numbers that are cheap to draw and to shrink. */
export interface Damage {
  kind: number;
  at: number;
  value: number;
}

export const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({ kind: fc.nat(7), at: fc.nat(100_000), value: fc.nat(100_000) }),
  { minLength: 1, maxLength: 6 },
);

const deep = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);

/** JSON texts to put in place of a value. */
const values = [
  ...[
    'null',
    'true',
    'false',
    '0',
    '-1',
    '-0',
    '1.5',
    '1e400',
    '-1e400',
    '1e-400',
    '4294967295',
    '4294967296',
    '4095',
    '5',
    '6',
    '511',
    '512',
    '65535',
    '65536',
  ],
  ...['9007199254740993', '18446744073709551615', '18446744073709551616', '-9223372036854775809', '9'.repeat(400)],
  ...[
    '""',
    '"x"',
    '"/"',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"/..\\n"',
    '"\\u202e"',
    '"constructor"',
  ],
  ...['[]', '{}', '[[]]', '[null]', '[""]', '["\\u0000"]', '[{}]', '{"":""}', '{"a":null}', '[1,"a",{}]'],
  ...['{"__proto__":{"cwd":"/"}}', '{"__proto__":null}', '{"constructor":1,"toString":"x","hasOwnProperty":[]}'],
  ...['"__proto__"', deep(2000, '[', ']'), deep(2000, '{"a":', '}').replace('{"a":}', '{"a":1}'), '-'],
  ...['"SCMP_ACT_NOTIFY"', '"SCHED_DEADLINE"', '"MPOL_LOCAL"', '"1.0.0"', '"2.0.0-a.b+c"', '"0-3,7"', '"3-1"'],
  ...['"net/../x"', '"kernel.msgmax"', '"bind"', '"idmap"', '"CAP_KILL"', '"RLIMIT_CORE"', '"user"', '"%d%d"'],
  JSON.stringify('x'.repeat(3000)),
  `[${'"a",'.repeat(3000)}"a"]`,
];
const names = ['__proto__', 'constructor', 'toString', '', '\0', 'a\0b', '\ud800', 'x'.repeat(300), 'net.a', 'length'];

/** Without integers beyond 53 bits, so that most documents take the quick way through JSON.parse, as real ones do. */
const soundText = writeSpec(sound as RuntimeSpec).replaceAll('18446744073709551615', '1024');
/** Where each value of the sound text begins and ends, and where each name does. */
const spans: { values: [number, number][]; names: [number, number][] } = { values: [], names: [] };
for (const { index, 0: token } of soundText.matchAll(/"(?:[^"\\]|\\.)*"(:?)|-?\d+|true|false|null/g)) {
  const end = index + token.length;
  if (token.endsWith(':')) {
    spans.names.push([index, end - 1]);
    spans.values.push([end, endOfValue(end)]);
  } else spans.values.push([index, end]);
}

function endOfValue(from: number): number {
  let depth = 0;
  for (let at = from; at < soundText.length; at++) {
    if (soundText[at] === '"') {
      for (at++; soundText[at] !== '"'; at++) if (soundText[at] === '\\') at++;
    } else if ('[{'.includes(soundText[at]!)) depth++;
    else if (']}'.includes(soundText[at]!) && --depth < 0) return at;
    else if (soundText[at] === ',' && depth === 0) return at;
  }
  return soundText.length;
}

/** How many places and values there are for damage of kind 0. */
export const extent = { places: spans.values.length, values: values.length };

/** The sound text with the damage done, from its end on so that places stay where they were. */
export function damaged(list: readonly Damage[]): Buffer {
  let text = soundText;
  let last = text.length;
  const edits = list.map((one) => ({ ...edit(one), kind: one.kind }));
  for (const { from, to, put } of edits.sort((a, b) => b.from - a.from)) {
    if (to > last) continue;
    text = text.slice(0, from) + put + text.slice(to);
    last = from;
  }
  const bytes = Buffer.from(text);
  for (const { kind, at, value } of list) {
    if (kind === 7 && value % 8 === 0) bytes[at % bytes.length] = value >> 3;
    if (kind === 6 && value % 16 === 0) return bytes.subarray(0, at % bytes.length);
  }
  return bytes;
}

function edit({ kind, at, value }: Damage): { from: number; to: number; put: string } {
  const [from, to] = spans.values[at % spans.values.length]!;
  if (kind <= 3) return { from, to, put: values[value % values.length]! };
  if (kind === 4) {
    const [start, end] = spans.names[at % spans.names.length]!;
    return { from: start, to: end, put: JSON.stringify(names[value % names.length]) };
  }
  // Another part of the document in its place: right somewhere, and wrong here.
  const [otherFrom, otherTo] = spans.values[value % spans.values.length]!;
  if (kind === 5) return { from, to, put: soundText.slice(otherFrom, otherTo) };
  return { from, to: from, put: '' };
}

export interface Tally {
  passed: number;
  refused: number;
}

/** Hands the document to a parser. @throws whatever it throws that is no StackError fit to be printed. */
export function attempt(list: readonly Damage[], tally: Tally): void {
  const text = damaged(list).toString('utf8');
  const parser = list[0]!.value % 8;
  try {
    if (parser === 0) loadProcess(text, 'config.json');
    else if (parser === 1) loadResources(text, 'config.json');
    else checkConfig(text, bundle);
    tally.passed++;
  } catch (error) {
    const isFit = error instanceof StackError && error.message.includes('config.json');
    if (!isFit || /[\0-\x09\x0b-\x1f]/.test(error.message)) throw error;
    tally.refused++;
  }
}
