import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBytes } from './bytes.ts';
import { findCycle } from './cycle.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { resolvePlain } from './scalar.ts';
import { distance, nearest } from './suggest.ts';
import { splitWords } from './words.ts';

test.each([
  ['10s', 10_000, '10s'],
  ['1m30s', 90_000, '1m30s'],
  ['1.5s', 1500, '1.5s'],
  ['1500ms', 1500, '1.5s'],
  ['500ms', 500, '500ms'],
  ['2h', 7_200_000, '2h0m0s'],
  ['1d', 86_400_000, '24h0m0s'],
  ['90m', 5_400_000, '1h30m0s'],
  ['0', 0, '0s'],
  ['0s', 0, '0s'],
  ['.5s', 500, '500ms'],
  ['250us', 0.25, '250µs'],
  ['3ns', 3e-6, '3ns'],
])('duration %s', (text, ms, printed) => {
  expect(parseDuration(text)).toBeCloseTo(ms, 9);
  expect(formatDuration(ms)).toBe(printed);
});

test.each(['', '10', 's', '1x', '1 s', '1s ', '1s2', '--1s', 'ten'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test('a printed duration reads back as itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => Math.abs(parseDuration(formatDuration(ms))! - ms) < 1e-3),
  );
});

test.each([
  ['512m', 536_870_912],
  ['1.5G', 1_610_612_736],
  ['10kb', 10_240],
  ['64MiB', 67_108_864],
  ['1024', 1024],
  ['100b', 100],
  ['1 gb', 1_073_741_824],
  [4096, 4096],
])('size %s', (text, size) => expect(parseBytes(text)).toBe(size));

test.each(['', 'm', '-1', '1x', '1gg', 'ten', '1.2.3'])('%j is no size', (text) =>
  expect(parseBytes(text)).toBeUndefined(),
);

test.each<[string, string[] | undefined]>([
  ['', []],
  ['  a   b ', ['a', 'b']],
  [`a 'b c' "d e"`, ['a', 'b c', 'd e']],
  [`a'b'"c"d`, ['abcd']],
  [`'' ""`, ['', '']],
  ['a\\ b', ['a b']],
  ['"a\\"b\\n"', ['a"b\\n']],
  [`'a\\b'`, ['a\\b']],
  ['a\\\nb', ['ab']],
  ['a b; c', ['a', 'b']],
  ['a "b;c" d&&e', ['a', 'b;c', 'd']],
  ['a 2>/dev/null', ['a']],
  ['a b2>c', ['a', 'b2']],
  ['a \\; b', ['a', ';', 'b']],
  ['# not a comment', ['#', 'not', 'a', 'comment']],
  [`a 'b`, undefined],
  ['a "b', undefined],
  ['a\\', undefined],
])('words of %j', (text, words) => expect(splitWords(text)).toEqual(words));

test('quoted words come back as they were', () => {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(splitWords(words.map(quote).join(' '))).toEqual(words);
    }),
  );
});

test.each([
  ['12', 12],
  ['-3', -3],
  ['0644', 420],
  ['0o17', 15],
  ['0x1F', 31],
  ['0b11', 3],
  ['1_000', 1000],
  ['1.50', 1.5],
  ['1e3', 1000],
  ['.5', 0.5],
  ['true', true],
  ['False', false],
  ['~', null],
  ['', null],
  ['yes', 'yes'],
  ['1:30', '1:30'],
  ['1.2.3', '1.2.3'],
  ['2020-01-01', '2020-01-01'],
  ['12345678901234567890', '12345678901234567890'],
  ['0899', 899],
  ['-', '-'],
])('plain scalar %j', (text, value) => expect(resolvePlain(text)).toBe(value));

test('near misses', () => {
  expect(distance('abcd', 'acbd')).toBe(1);
  expect(distance('kitten', 'sitting')).toBe(3);
  expect(nearest('enviroment', ['environment', 'entrypoint'])).toBe('environment');
  expect(nearest('prots', ['ports', 'profiles'])).toBe('ports');
  expect(nearest('Ports', ['ports'])).toBe('ports');
  expect(nearest('depends-on', ['depends_on'])).toBe('depends_on');
  expect(nearest('zzzzzz', ['ports', 'environment'])).toBeUndefined();
});

test('a cycle is given as a path', () => {
  const graph = (edges: Record<string, string[]>) => findCycle(new Map(Object.entries(edges)));
  expect(graph({ a: ['b'], b: ['c'], c: [] })).toBeUndefined();
  expect(graph({ a: ['a'] })).toEqual(['a', 'a']);
  expect(graph({ x: ['a'], a: ['b'], b: ['c'], c: ['a'] })).toEqual(['a', 'b', 'c', 'a']);
  expect(graph({ a: ['gone'] })).toBeUndefined();
});
