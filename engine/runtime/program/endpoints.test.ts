import { expect, test } from 'vitest';
import { encodeProgram, encodeSteps } from './encoder.ts';
import { withEndpoints } from './program.ts';

test('a program with other endpoints: nothing else of it changes', () => {
  const inner = encodeSteps([['endpoint', '/inner', 9]]);
  const program = (tables: [string, number][]) =>
    encodeProgram([
      ...tables.map(([table, slot]) => ['endpoint', table, slot] as const),
      ['dns', 1, ['10.0.0.1']],
      ['process', inner],
    ]);
  const was = program([
    ['/a', 1],
    ['/b', 2],
  ]);
  const asked = [{ table: '/c', slot: 3 }];
  expect(withEndpoints(was, asked)).toEqual(Buffer.from(program([['/c', 3]])));
  expect(withEndpoints(withEndpoints(was, []), asked)).toEqual(withEndpoints(was, asked));
});
