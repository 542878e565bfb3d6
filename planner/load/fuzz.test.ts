import { expect, test } from 'vitest';
import { attempt, damaged, random, type Tally } from './fuzz.fixture.ts';

test('every damaged stack file gives a model or diagnostics, in well under a second', { timeout: 120_000 }, () => {
  const seed = Number(process.env.STACK_FUZZ_SEED ?? Date.now() % 1e9);
  const next = random(seed);
  const tally: Tally = { loaded: 0, refused: 0, longest: 0 };
  for (let run = 0; run < 5000; run++) {
    const text = damaged(next);
    try {
      attempt(text, next, tally);
    } catch (thrown) {
      throw new Error(`seed ${seed}, run ${run}: ${JSON.stringify(text)}`, { cause: thrown });
    }
  }
  // Neither answer may swallow the other: the damage would be too little or too much to find anything.
  expect(tally.loaded).toBeGreaterThan(50);
  expect(tally.refused).toBeGreaterThan(200);
  expect(tally.longest).toBeLessThan(1000);
});
