import { expect, test } from 'vitest';
import { StackError } from '../schemas/errors.ts';
import { formatError } from './diagnose.ts';

const files: Record<string, string> = {
  'stack.yaml': 'services:\n  web:\n    enviroment: {}\n\timage: x\r\n',
  'other.yaml': `a: ${'x'.repeat(300)} # end\n`,
};
const source = (file: string) => files[file];

test('the place, the line, an underline and the hint', () => {
  const error = new StackError('config.unknown-attribute', {
    message: 'services.web.enviroment is no attribute of services.web',
    hint: 'Did you mean `environment`?',
    where: { file: 'stack.yaml', line: 3, column: 5, length: 10 },
  });
  expect(formatError(error, source)).toBe(
    [
      'stack.yaml:3:5: services.web.enviroment is no attribute of services.web',
      '  3 |     enviroment: {}',
      '    |     ^^^^^^^^^^',
      '  Did you mean `environment`?',
    ].join('\n'),
  );
});

test('the other place involved', () => {
  const error = new StackError('config.yaml', {
    message: 'given twice',
    where: { file: 'stack.yaml', line: 2, column: 3, length: 3 },
    other: { file: 'stack.yaml', line: 1, column: 1, length: 99 },
  });
  expect(formatError(error, source)).toBe(
    [
      'stack.yaml:2:3: given twice',
      '  2 |   web:',
      '    |   ^^^',
      '  the other place: stack.yaml:1:1',
      '  1 | services:',
      '    | ^^^^^^^^^',
    ].join('\n'),
  );
});

test('tabs stay tabs and carriage returns go', () => {
  const error = new StackError('config.yaml', {
    message: 'm',
    where: { file: 'stack.yaml', line: 4, column: 2, length: 5 },
  });
  expect(formatError(error, source).split('\n').slice(1)).toEqual(['  4 | \timage: x', '    | \t^^^^^']);
});

test('a long line is cut around the place', () => {
  const error = new StackError('config.yaml', {
    message: 'm',
    where: { file: 'other.yaml', line: 1, column: 305, length: 5 },
  });
  const [, line, underline] = formatError(error, source).split('\n');
  expect(line!.length).toBeLessThan(180);
  expect(line!.slice(underline!.indexOf('^'), underline!.lastIndexOf('^') + 1)).toBe('# end');
});

test('an error without a place, and a file that is gone', () => {
  expect(formatError(new StackError('usage', { message: 'm', hint: 'h' }), source)).toBe('m\n  h');
  const gone = new StackError('config.yaml', { message: 'm', where: { file: 'gone', line: 1, column: 1 } });
  expect(formatError(gone, source)).toBe('gone:1:1: m');
});
