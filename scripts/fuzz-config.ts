// Damaged config.json documents for as long as one likes: npm run fuzz:config -- --runs 1000000 [--seed N]
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { attempt, damages } from '../engine/runtime/oci/config-fuzz.fixture.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '1000000' }, seed: { type: 'string' } } });
const seed = values.seed === undefined ? Date.now() : Number(values.seed);
const tally = { passed: 0, refused: 0 };
console.log(`seed ${seed}`);
const start = performance.now();
fc.assert(
  fc.property(damages, (list) => attempt(list, tally)),
  { numRuns: Number(values.runs), seed },
);
console.log(`${values.runs} documents in ${Math.round(performance.now() - start)} ms`, tally);
