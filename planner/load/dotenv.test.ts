import { expect, test } from 'vitest';
import { parseDotenv } from './dotenv.ts';

const parse = (text: string, isRaw = false) => {
  const { values, errors } = parseDotenv(text, '.env', (name) => ({ HOST: 'h' })[name], isRaw);
  return { values, errors };
};

test.each([
  ['A=1', '1'],
  ['A = 1 ', '1'],
  ['export A=1', '1'],
  ['A: 1', '1'],
  ['A=x # note', 'x'],
  ['A=x#no note', 'x#no note'],
  ['A=# no note', '# no note'],
  ['A=', ''],
  ["A='a $HOST # b'", 'a $HOST # b'],
  ['A="a $HOST"', 'a h'],
  ['A="a\\nb\\t\\"q\\" \\$HOST"', 'a\nb\t"q" $HOST'],
  ['A="two\nlines"', 'two\nlines'],
  ["A='two\nlines'", 'two\nlines'],
  ['A=${GONE:-d}-$HOST', 'd-h'],
  ['A=a b  c', 'a b  c'],
  ["A='it\\'s'", "it's"],
  ["A=it's", "it's"],
  ['A=\\n', '\\n'],
  ['A="x" # note', 'x'],
  ['\ufeffA=1', '1'],
  ['A=1\r\n', '1'],
])('%j', (text, value) => {
  expect(parse(text)).toEqual({ values: { A: value }, errors: [] });
});

test('comments and empty lines are skipped, earlier names are known to later ones', () => {
  expect(parse('# c\n\n  # d\nA=1\nB=${A}2\n').values).toEqual({ A: '1', B: '12' });
});

test('a name alone takes the value of the environment', () => {
  expect(parse('HOST\nGONE\n').values).toEqual({ HOST: 'h', GONE: null });
});

test('raw values stand as written', () => {
  expect(parse('A="$HOST" # x\nB=\'\n', true).values).toEqual({ A: '"$HOST" # x', B: "'" });
});

test.each([
  ['A=1\nB="open\n', 2, 3],
  ['A=1\n=2\n', 2, 1],
  ['A b\n', 1, 1],
  ['A=${x!}\n', 1, 3],
])('%j is wrong', (text, line, column) => {
  expect(parse(text).errors.map((error) => error.where)).toMatchObject([{ file: '.env', line, column }]);
});
