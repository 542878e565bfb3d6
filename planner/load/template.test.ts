import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expand } from './template.ts';

const variables: Record<string, string> = { SET: 'value', EMPTY: '', OTHER: 'other', _x1: 'under' };
const run = (template: string) => expand(template, (name) => variables[name]);

test.each([
  ['plain', 'plain'],
  ['$SET', 'value'],
  ['${SET}', 'value'],
  ['a$SET-b', 'avalue-b'],
  ['$_x1.$SET', 'under.value'],
  ['$$SET', '$SET'],
  ['$$$SET', '$value'],
  ['$$$$', '$$'],
  ['$1', '$1'],
  ['cost: $', 'cost: $'],
  ['$/$SET', '$/value'],
  ['${SET:-d}', 'value'],
  ['${EMPTY:-d}', 'd'],
  ['${EMPTY-d}', ''],
  ['${GONE:-d}', 'd'],
  ['${GONE-d}', 'd'],
  ['${GONE:-}', ''],
  ['${SET:+r}', 'r'],
  ['${EMPTY:+r}', ''],
  ['${EMPTY+r}', 'r'],
  ['${GONE+r}', ''],
  ['${SET:?no}', 'value'],
  ['${EMPTY?no}', ''],
  ['${GONE:-${OTHER}}', 'other'],
  ['${GONE:-${GONE2:-${SET}}}', 'value'],
  ['${GONE:-a$SET}b', 'avalueb'],
  ['${GONE:-$$x}', '$x'],
  ['${GONE:-a:-b?c}', 'a:-b?c'],
  ['${SET:-${GONE:?never asked}}', 'value'],
  ['${GONE:-{"a":1}', '{"a":1'],
])('%s → %s', (template, value) => {
  expect(run(template)).toEqual({ value, problems: [], unset: [] });
});

test.each([
  ['$GONE', '', ['GONE']],
  ['${GONE}${GONE2}', '', ['GONE', 'GONE2']],
  ['${EMPTY:-$GONE}', '', ['GONE']],
])('%s warns of what is not set', (template, value, names) => {
  const result = run(template);
  expect(result.value).toBe(value);
  expect(result.unset.map((one) => one.name)).toEqual(names);
});

test.each([
  ['${', 0, 2],
  ['a ${SET', 2, 5],
  ['${}', 0, 3],
  ['${1a}', 0, 5],
  ['${SET!}', 0, 7],
  ['${SET:-${}}', undefined, undefined],
  ['${GONE:-x${!}}', 9, 4],
])('%s is invalid', (template, start, length) => {
  const { problems } = run(template);
  if (start === undefined) expect(problems).toEqual([]);
  else expect(problems).toMatchObject([{ kind: 'invalid', start, length }]);
});

test.each([
  ['${GONE:?need it}', 'required variable GONE is missing a value: need it'],
  ['${EMPTY:?}', 'required variable EMPTY is missing a value'],
  ['${GONE?give $SET}', 'required variable GONE is missing a value: give value'],
])('%s is required', (template, message) => {
  expect(run(template).problems).toMatchObject([{ kind: 'required', message }]);
});

const word = fc.stringMatching(/^[a-z ]{0,6}$/);
const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,5}$/);

test('text with every dollar doubled comes back as it was', () => {
  fc.assert(fc.property(fc.string(), (text) => run(text.replaceAll('$', '$$$$')).value === text));
});

test('any input ends without an exception, and without a problem nothing of the syntax is left to report', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[${}:?+\-aA_1 ]{0,24}$/), (text) => {
      const result = run(text);
      expect(typeof result.value).toBe('string');
      for (const problem of result.problems) expect(problem.start + problem.length).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 2000 },
  );
});

test('the operators agree with their definition', () => {
  const environment = fc.dictionary(name, word);
  fc.assert(
    fc.property(environment, name, word, (values, variable, fallback) => {
      const lookup = (key: string) => (Object.hasOwn(values, key) ? values[key] : undefined);
      const value = lookup(variable);
      const expanded = (op: string) => expand(`\${${variable}${op}${fallback}}`, lookup).value;
      expect(expanded(':-')).toBe(value || fallback);
      expect(expanded('-')).toBe(value ?? fallback);
      expect(expanded(':+')).toBe(value ? fallback : '');
      expect(expanded('+')).toBe(value === undefined ? '' : fallback);
    }),
  );
});
