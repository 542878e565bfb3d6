// Damaged stack files for as long as one likes: npm run fuzz:load -- --runs 1000000 [--seed N]. All that fails is printed.
import { parseArgs } from 'node:util';
import { attempt, damaged, random, type Tally } from '../planner/load/fuzz.fixture.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '1000000' }, seed: { type: 'string' } } });
const seed = Number(values.seed ?? Date.now() % 1e9);
const runs = Number(values.runs);
const next = random(seed);
const tally: Tally = { loaded: 0, refused: 0, longest: 0 };
const failures = new Map<string, string>();
console.log(`seed ${seed}`);
// Thousands of errors are made here, and nobody looks where.
Error.stackTraceLimit = 4;
const slow: string[] = [];
const start = performance.now();
for (let run = 0; run < runs; run++) {
  const text = damaged(next);
  try {
    attempt(text, next, tally);
    if (tally.longest > 1000) {
      slow.push(text);
      tally.longest = 0;
    }
  } catch (thrown) {
    const told = String((thrown as Error).stack)
      .split('\n')
      .slice(0, 4)
      .join('\n');
    if (!failures.has(told)) console.log(`run ${run}: ${JSON.stringify(text)}\n${told}`);
    failures.set(told, text);
  }
  if (run % 100_000 === 99_999) console.log(run + 1, Math.round(performance.now() - start), 'ms', tally);
}
// What took long once may have waited for the processor: it has to be slow again.
for (const text of slow) {
  tally.longest = 0;
  attempt(text, next, tally);
  if (tally.longest > 1000) failures.set(`took ${tally.longest} ms: ${JSON.stringify(text)}`, text);
}
for (const told of failures.keys()) console.log(told);
console.log(
  `${runs} stack files in ${Math.round(performance.now() - start)} ms`,
  tally,
  `${failures.size} kinds of failure`,
);
process.exitCode = failures.size === 0 ? 0 : 1;
