import { expect, test } from 'vitest';
import { list } from './output.ts';
import { template } from './template.ts';

const value = { ID: 'abc', Names: ['a', 'b'], Config: { Env: ['X=1'], Labels: { k: 'v' }, None: null }, Size: 3 };

test.each([
  ['{{.ID}}:{{ .Size }}', 'abc:3'],
  ['{{json .Names}}', '["a","b"]'],
  ['{{json .}}', JSON.stringify(value)],
  ['{{.Names}} {{.Config.Labels}}', '[a b] map[k:v]'],
  ['{{index .Names 1}}{{index .Config.Labels "k"}}', 'bv'],
  ['{{join .Names ", "}}', 'a, b'],
  ['{{upper .ID}} {{lower .ID}} {{len .Names}}', 'ABC abc 2'],
  ['{{range .Config.Env}}<{{.}}>{{end}}!', '<X=1>!'],
  ['{{println .ID .Size}}', 'abc 3\n'],
  ['{{.Nothing}} {{.Config.None}} {{.constructor}}', '<no value> <nil> <no value>'],
  ['a\\tb\\n', 'a\tb\n'],
])('%s', (text, expected) => {
  expect(template(text)(value)).toBe(expected);
});

test.each([['{{.ID | x}}'], ['{{nonsense .ID}}'], ['{{range .Names}}'], ['{{ID}}']])('%s is refused', (text) => {
  expect(() => template(text)).toThrow(expect.objectContaining({ code: 'usage' }));
});

test('a list as columns, JSON lines, and by templates', () => {
  const columns = [
    { title: 'IMAGE ID', field: 'ID' },
    { title: 'SIZE', field: 'Size' },
  ] as const;
  const rows = [
    { ID: 'abc', Size: '1B' },
    { ID: 'd', Size: '2B' },
  ];
  expect(list(rows, 'table', [...columns])).toBe('IMAGE ID   SIZE\nabc        1B\nd          2B\n');
  expect(list(rows, 'json', [...columns])).toBe('{"ID":"abc","Size":"1B"}\n{"ID":"d","Size":"2B"}\n');
  expect(list(rows, '{{.ID}}', [...columns])).toBe('abc\nd\n');
  expect(list(rows, 'table {{.Size}}\\t{{.ID}}', [...columns])).toBe('SIZE   IMAGE ID\n1B     abc\n2B     d\n');
  expect(() => list(rows, 'xml', [...columns])).toThrow(expect.objectContaining({ code: 'usage' }));
});
