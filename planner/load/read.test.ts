import { expect, test } from 'vitest';
import { Places, positionOf, Source } from './places.ts';
import { Problems } from './problems.ts';
import { read } from './read.ts';

function parse(text: string) {
  const places = new Places();
  const problems = new Problems();
  const documents = read(new Source('s.yaml', text), places, problems);
  const errors = problems.errors.map((error) => `${error.where?.line}:${error.where?.column} ${error.message}`);
  return { documents, errors, places, root: documents[0]?.root, problems };
}

test('every value has the place of its key and of itself', () => {
  const { root, places } = parse('a:\n  b: [x, {c: "d"}]\n');
  const at = (path: (string | number)[], part: 'key' | 'value' = 'value') => {
    const { line, column, length } = positionOf(places.find(root, path), part)!;
    return [line, column, length];
  };
  expect(at(['a'], 'key')).toEqual([1, 1, 1]);
  expect(at(['a', 'b'], 'key')).toEqual([2, 3, 1]);
  expect(at(['a', 'b', 0])).toEqual([2, 7, 1]);
  expect(at(['a', 'b', 1, 'c'])).toEqual([2, 14, 3]);
  expect(at(['a', 'b', 1, 'c', 'gone'])).toEqual([2, 14, 3]);
});

test('anchors, aliases and merge keys', () => {
  const text =
    'x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\np: {<<: *x, b: 9}\nq: {<<: [*y, *x], d: 5}\nr: *x\ns: {"<<": 1}\n';
  expect(parse(text)).toMatchObject({
    errors: [],
    root: { p: { a: 1, b: 9 }, q: { b: 3, c: 4, a: 1, d: 5 }, r: { a: 1, b: 2 }, s: { '<<': 1 } },
  });
});

test('!reset and !override name what earlier files lose', () => {
  const { documents } = parse('s: {a: !reset null, b: !override [1], c: 2, d: !reset []}\n');
  expect(documents).toEqual([
    {
      root: { s: { b: [1], c: 2 } },
      cleared: [
        ['s', 'a'],
        ['s', 'b'],
        ['s', 'd'],
      ],
    },
  ]);
});

test('several documents, empty ones left out', () => {
  expect(parse('a: 1\n---\n---\nb: 2\n').documents.map((one) => one.root)).toEqual([{ a: 1 }, { b: 2 }]);
  expect(parse('').documents).toEqual([]);
  expect(parse('# only a comment\n').documents).toEqual([]);
});

test('a value may be called __proto__', () => {
  const { root } = parse('__proto__: {a: 1}\n');
  expect(Object.keys(root!)).toEqual(['__proto__']);
});

test.each([
  ['a: [1\n', ['1:5 Flow sequence in block collection must be sufficiently indented and end with a ]']],
  ['a: 1\n b: 2\n', undefined],
  ['a: {b: 1, b: 2}\n', ['1:11 a.b is given twice']],
  ['a: 1\nb: 2\na: 3\n', ['3:1 a is given twice']],
  ['a: *gone\n', undefined],
  ['- a\n', ['1:1 a stack file is a mapping of services, networks and volumes, not a list']],
  ['text\n', ['1:1 a stack file is a mapping of services, networks and volumes, not a string']],
  ['a: {<<: 3}\n', ['1:9 << takes a mapping, not a number']],
  ['? [a]\n: 1\n', ['1:3 a key is a plain word, not a list or a mapping']],
  ['a: "open\n', undefined],
  ['\ta: 1\n', undefined],
])('%j is wrong', (text, errors) => {
  const found = parse(text).errors;
  expect(found.length).toBeGreaterThan(0);
  if (errors) expect(found).toEqual(errors);
});

test('the first of two definitions is the other place', () => {
  expect(parse('a: 1\nb: 2\na: 3\n').problems.errors[0]!.other).toMatchObject({ line: 1, column: 1 });
});

test('aliases that repeat exponentially are refused at once', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 12; level++) {
    const items = Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ');
    lines.push(`a${level}: &a${level} [${items}]`);
  }
  const started = performance.now();
  const { errors } = parse(lines.join('\n'));
  expect(errors).toEqual([expect.stringContaining('aliases repeat more than 200000 values')]);
  expect(performance.now() - started).toBeLessThan(5000);
});

test('a text nested without end is refused', () => {
  for (const text of [
    `a: ${'['.repeat(50_000)}`,
    `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`,
    `a: ${'{a: '.repeat(20_000)}`,
  ]) {
    expect(parse(text).errors.length).toBeGreaterThan(0);
  }
});

test('a block that many services share is no bomb', () => {
  const text = `x: &x {a: 1, b: [1, 2, 3], c: {d: 1}}\n${Array.from({ length: 500 }, (_, i) => `s${i}: {<<: *x}`).join('\n')}\n`;
  expect(parse(text).errors).toEqual([]);
});
