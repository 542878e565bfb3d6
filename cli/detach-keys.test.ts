import { expect, test } from 'vitest';
import { detachKeys } from './attach.ts';
import { DetachKeys } from './detach-keys.ts';

test.each([
  [['ab', '\x10\x11', 'c'], 'ab', 1],
  [['a\x10', '\x11rest'], 'a', 1],
  [['\x10', 'x\x10\x10\x11'], '\x10x\x10', 1],
  [['\x11\x10\x10'], '\x11\x10', 0],
])('%j passes %j', (typed, passed, times) => {
  let detached = 0;
  const keys = new DetachKeys(detachKeys('ctrl-p,ctrl-q'), () => detached++);
  const found: string[] = [];
  for (const text of typed) if (detached === 0) found.push(keys.pass(Buffer.from(text)).toString());
  expect(found.join('')).toBe(passed);
  expect(detached).toBe(times);
});

test('keys are letters and control letters', () => {
  expect([...detachKeys('ctrl-a,d')]).toEqual([1, 100]);
  expect(() => detachKeys('ctrl-')).toThrow(/letters/);
});
