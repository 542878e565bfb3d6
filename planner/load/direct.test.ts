import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readDirect } from './direct.ts';
import { Places, positionOf, Source } from './places.ts';
import { Problems } from './problems.ts';
import { readWhole } from './read.ts';

const corpus = join(import.meta.dirname, 'corpus');
const samples = readdirSync(corpus, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => ['compose.yaml', 'compose.yml'].map((file) => join(corpus, name, file)))
  .filter((file) => existsSync(file))
  .map((file) => readFileSync(file, 'utf8'));

/** Every value with the line and column of its key and of itself. */
function flatten(value: unknown, places: Places, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} = ${JSON.stringify(value)}`];
  const kind = Array.isArray(value) ? '[]' : '{}';
  return [
    `${path} ${kind}`,
    ...Object.entries(value).flatMap(([key, item]) => {
      const place = places.get(value, Array.isArray(value) ? Number(key) : key);
      const [from, at] = [positionOf(place, 'key'), positionOf(place)];
      // Where nothing is written there is no place to compare.
      const where = item === null ? '' : ` ${at?.line}:${at?.column}`;
      const keyPlace = Array.isArray(value) && item === null ? '' : ` @ ${from?.line}:${from?.column}`;
      return [`${path}.${key}${keyPlace}${where}`, ...flatten(item, places, `${path}.${key}`)];
    }),
  ];
}

function direct(text: string): string[] | undefined {
  const places = new Places();
  const root = readDirect(new Source('f', text), places);
  return root && flatten(root, places);
}

function whole(text: string): string[] {
  const places = new Places();
  const problems = new Problems();
  const documents = readWhole(new Source('f', text), places, problems);
  if (problems.errors.length > 0) return problems.errors.map((error) => `error: ${error.message}`);
  return documents.length === 1 ? flatten(documents[0]!.root, places) : [`${documents.length} documents`];
}

test('the corpus is read directly and as the yaml package reads it', () => {
  expect(samples).toHaveLength(39);
  const taken = samples.filter((text) => direct(text) !== undefined);
  expect(taken.length).toBeGreaterThanOrEqual(36);
  for (const text of taken) expect(direct(text)).toEqual(whole(text));
});

test.each([
  'a: 1\nb: [x, "y", \'z\', {c: d, e: }]\n',
  'a:\n- 1\n- b: 2\n  c: 3\n-\n  - d\nz: ~\n',
  'a:\n  - - x\n',
  'a:  # note\n  b: c # note\n  d: "#no" # note\n  e: x#y\n',
  "a: 'it''s'\nb: \"q\\\"\\n\\\\\"\n",
  'a: {b: {c: [1, 2,], }, }\n',
  '"a b": 1\n\'c\': 2\n',
  'a: -x\nb: - x\n',
  'a: http://x:80/y\nb: [http://x, a:b]\n',
  'a:\n\n  # c\n\n  b: 1\n\n\n',
  'a: 0644\nb: 1_0\nc: yes\nd: null\ne: 1.5\n',
  'a:\n  b:\nc:\n',
  'a: x\r\nb:\r\n  - y\r\n',
  '  a: 1\n  b: 2\n',
  'a: b c  d \n',
])('%j', (text) => {
  const read = direct(text);
  if (read) expect(read).toEqual(whole(text));
});

test.each([
  'a: &x 1\n',
  'a: *x\n',
  'a: !reset 1\n',
  'a: |\n  x\n',
  'a: >-\n  x\n',
  '<<: 1\n',
  '---\na: 1\n',
  'a: 1\n---\nb: 2\n',
  'a: 1\na: 2\n',
  'a: [1,\n  2]\n',
  'a: x\n  y\n',
  'a: "x\n  y"\n',
  'a: "\\x41"\n',
  'a: b: c\n',
  'a:\n    b: 1\n  c: 2\n',
  'a:\tb\n',
  '? a\n: b\n',
  '- a\n',
  '',
  'a\n',
  '{a: 1}\n',
  'a: [b: c]\n',
  'a: {b}\n',
  'a: @x\n',
  'a: "x" y\n',
])('%j is left to the yaml package', (text) => {
  expect(direct(text)).toBeUndefined();
});

test('whatever is read directly from a damaged file is what the yaml package reads', () => {
  const piece = fc.constantFrom(
    ...' \n:-#,[]{}"\'&*!|>%@`?\\$~.=ab0',
    '  ',
    ': ',
    '- ',
    ' #',
    '\n  ',
    '\n- ',
    '"x"',
    '{a: b}',
    '[a, b]',
  );
  let compared = 0;
  const edit = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.array(piece, { maxLength: 2 }) });
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 3 }), (sample, edits) => {
      let text = sample.slice(0, 600);
      for (const { at, remove, insert } of edits) {
        const from = at % text.length;
        text = text.slice(0, from) + insert.join('') + text.slice(from + remove);
      }
      const read = direct(text);
      if (!read) return;
      compared++;
      expect(read).toEqual(whole(text));
    }),
    { numRuns: 1500 },
  );
  expect(compared).toBeGreaterThan(100);
});
