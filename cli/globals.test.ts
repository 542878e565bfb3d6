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
  });
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
