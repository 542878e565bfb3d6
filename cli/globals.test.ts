import { expect, test } from 'vitest';
import { readGlobals } from './globals.ts';

test('flags before and behind the command add up; the one behind wins where there is one value', () => {
  const before = { file: ['a'], projectName: 'one', profile: ['x'], ansi: 'never' as const };
  const behind = { file: ['b'], projectName: 'two', progress: 'json' as const };
  expect(readGlobals(before, behind, {})).toEqual({
    file: ['a', 'b'],
    projectName: 'two',
    envFile: [],
    profile: ['x'],
    projectDirectory: undefined,
    progress: 'json',
    ansi: 'never',
    parallel: -1,
    dryRun: false,
    timings: false,
  });
});

test('the limit of operations at once: the flag, else COMPOSE_PARALLEL_LIMIT, else none', () => {
  const limit = (flag: object, text?: string) =>
    readGlobals({}, flag, text === undefined ? {} : { COMPOSE_PARALLEL_LIMIT: text }).parallel;
  expect([limit({}), limit({}, '3'), limit({ parallel: 5 }, '3'), limit({}, ''), limit({}, 'x')]).toEqual([
    -1,
    3,
    5,
    -1,
    Number.NaN,
  ]);
});

test('the environment stands in for --progress and --ansi, where it says something known', () => {
  const none = { COMPOSE_PROGRESS: 'fancy', COMPOSE_ANSI: 'rainbow' };
  expect(readGlobals({}, {}, { COMPOSE_PROGRESS: 'plain', COMPOSE_ANSI: 'always' })).toMatchObject({
    progress: 'plain',
    ansi: 'always',
  });
  expect(readGlobals({}, {}, none)).toMatchObject({ progress: 'auto', ansi: 'auto' });
  expect(readGlobals({ progress: 'tty' }, {}, { COMPOSE_PROGRESS: 'plain' }).progress).toBe('tty');
});
