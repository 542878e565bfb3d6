/**
 * `npm run fuzz:program`: mutated programs through the shim's decoder and appliers, for as long as it is asked to.
 *
 *   npm run fuzz:program -- --runs 10000000 --number 7     our own driver (native/test/fuzz_driver.cc)
 *   npm run fuzz:program -- --runs 10000000 --libfuzzer    clang's, which looks for code not reached yet
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz-native.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    number: { type: 'string', default: String(Date.now()) },
    libfuzzer: { type: 'boolean', default: false },
  },
});

await fuzz({
  target: 'fuzz_program.cc',
  driver: 'fuzz_driver.cc',
  count: values.runs,
  what: 'runs',
  number: values.number,
  usesLibFuzzer: values.libfuzzer,
});
