import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attempt, damages } from './config-fuzz.fixture.ts';

test('100,000 damaged documents: each is taken or refused with a StackError, none hangs', { timeout: 60_000 }, () => {
  const tally = { passed: 0, refused: 0 };
  fc.assert(
    fc.property(damages, (list) => attempt(list, tally)),
    { numRuns: 100_000 },
  );
  // Neither all sound nor all hopeless, or the test would say little.
  expect(tally.passed).toBeGreaterThan(1000);
  expect(tally.refused).toBeGreaterThan(10_000);
  expect(({} as Record<string, unknown>).cwd, 'nothing reached Object.prototype').toBeUndefined();
});
