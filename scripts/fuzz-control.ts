/**
 * `npm run fuzz:control`: what clients write to the shim's control socket, for as long as it is asked to.
 *
 *   npm run fuzz:control -- --frames 10000000 --number 7   our own driver (native/test/fuzz_control_driver.cc)
 *   npm run fuzz:control -- --frames 10000000 --libfuzzer  clang's, which looks for code not reached yet; so many inputs
 */
import { parseArgs } from 'node:util';
import { monitorSources } from '../native/test/monitor-sources.fixture.ts';
import { fuzz } from './fuzz-native.ts';

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '100000' },
    number: { type: 'string', default: String(Date.now()) },
    libfuzzer: { type: 'boolean', default: false },
  },
});

await fuzz({
  target: 'fuzz_control.cc',
  driver: 'fuzz_control_driver.cc',
  linked: monitorSources(),
  isSeed: (file) => /exec$/.test(file),
  count: values.frames,
  what: 'frames',
  number: values.number,
  usesLibFuzzer: values.libfuzzer,
});
