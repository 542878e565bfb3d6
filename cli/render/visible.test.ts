import { expect, test } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import { errorText } from './error.ts';
import { warningLine } from './plain.ts';
import { table } from './table.ts';

const hostile = 'a\u001b[2Jb\u009b31mc\u202ed';
const shown = 'a\\x1b[2Jb\\x9b31mc\\u202ed';
const paint = (_: number, text: string) => text;

test('what an image or a registry says does not steer the terminal', () => {
  const error = new StackError('image.archive', { message: `"${hostile}" is none.`, hint: hostile });
  expect(errorText(error, { isColored: false, paint })).toContain(`"${shown}" is none.`);
  expect(errorText(error, { isColored: false, paint })).not.toMatch(/[\u001b\u009b\u202e]/);
  expect(warningLine(error, paint)).toBe(`warning: "${shown}" is none. ${shown}`);
  expect(table(['A', 'B'], [[hostile, 'x\ny']])).toBe(`${'A'.padEnd(shown.length)}   B\n${shown}   x y\n`);
});
