import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { toYaml } from './yaml.ts';

test('blocks, lists in mappings, mappings in lists', () => {
  const value = {
    name: 'p',
    services: {
      a: { command: ['sh', '-c', 'x: y'], ports: [{ published: '80', target: 80 }], networks: { default: null } },
    },
    lists: [[1, [2]], {}, [], [{ a: { b: 1 } }]],
    text: 'one\n  two\n\nthree\n',
    more: [{ keep: 'a\n\n' }, 'b\nc'],
  };
  expect(toYaml(value)).toBe(`name: p
services:
  a:
    command:
      - sh
      - -c
      - "x: y"
    ports:
      - published: "80"
        target: 80
    networks:
      default: null
lists:
  - - 1
    - - 2
  - {}
  - []
  - - a:
        b: 1
text: |
  one
    two

  three
more:
  - keep: |+
      a

  - |-
    b
    c
`);
});

test.each([
  '',
  'yes',
  'No',
  '~',
  '<<',
  '=',
  '1',
  '1.5',
  '0644',
  '0x1f',
  '1e3',
  '22:22',
  '2020-01-01',
  '.',
  '.5',
  '-.inf',
  '+1',
  '1_000',
  '---',
  '- a',
])('%j stays text for readers of YAML 1.1 and 1.2', (text) => {
  for (const version of ['1.1', '1.2'] as const)
    expect(parse(toYaml({ [text]: [text] }), { version })).toEqual({ [text]: [text] });
});

test('what is written is read again, by both versions', () => {
  const string = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
    fc
      .array(fc.constantFrom(' ', '\n', '\t', '#', ': ', '- ', 'a', '"', "'", '|', '0', '\\', '\r'), { maxLength: 12 })
      .map((all) => all.join('')),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      string,
      fc.integer(),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(
        string.filter((key) => key !== '__proto__'),
        tie('tree'),
        { maxKeys: 4 },
      ),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const written = toYaml({ value });
      for (const version of ['1.1', '1.2'] as const)
        expect(parse(written, { version, merge: false })).toEqual({ value });
    }),
    { numRuns: 2000 },
  );
});

test('long keys', () => {
  const value = { a: { [`k${'x'.repeat(2000)}`]: { b: 1 }, c: [{ [`-${'y'.repeat(2000)}`]: 'z' }] } };
  expect(parse(toYaml(value))).toEqual(value);
});
