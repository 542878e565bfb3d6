/**
 * `npm run fuzz:control`: what clients write to the shim's control socket, for as long as it is asked to.
 *
 *   npm run fuzz:control -- --frames 10000000 --number 7   our own driver (native/test/fuzz_control_driver.cc)
 *   npm run fuzz:control -- --frames 10000000 --libfuzzer  clang's, which looks for code not reached yet; so many inputs
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { monitorSources } from '../native/test/monitor-sources.fixture.ts';
import { writeSeeds } from '../native/test/program-seeds.fixture.ts';

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '100000' },
    number: { type: 'string', default: String(Date.now()) },
    libfuzzer: { type: 'boolean', default: false },
  },
});
const native = join(import.meta.dirname, '../native');
const directory = mkdtempSync(join(tmpdir(), 'stack-fuzz-'));
const program = join(directory, 'fuzz');
const sources = ['fuzz_control.cc', ...(values.libfuzzer ? [] : ['fuzz_control_driver.cc'])];
const sanitizers = `-fsanitize=address,undefined${values.libfuzzer ? ',fuzzer' : ''}`;

function run(command: string, args: string[]): void {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command}: exit ${status ?? signal}`);
}

try {
  const seeds = (await writeSeeds(join(directory, 'seeds'))).filter((file) => /exec$/.test(file));
  const flags = ['-std=c++20', '-O1', '-g', sanitizers, '-fno-sanitize-recover=all', `-I${native}`];
  const files = [...sources.map((name) => join(native, 'test', name)), ...monitorSources()];
  run(values.libfuzzer ? 'clang++' : 'g++', [...flags, ...files, '-o', program]);
  console.log(`${values.frames} frames, number ${values.number}`);
  if (values.libfuzzer) {
    const limits = [`-runs=${values.frames}`, '-max_len=16384', `-seed=${Number(values.number) % 2 ** 31}`];
    run(program, [...limits, `-artifact_prefix=${process.cwd()}/`, join(directory, 'seeds')]);
  } else {
    run(program, [values.frames, values.number, ...seeds]);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
