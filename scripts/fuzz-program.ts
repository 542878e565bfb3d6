/**
 * `npm run fuzz:program`: mutated programs through the shim's decoder and appliers, for as long as it is asked to.
 *
 *   npm run fuzz:program -- --runs 10000000 --number 7     our own driver (native/test/fuzz_driver.cc)
 *   npm run fuzz:program -- --runs 10000000 --libfuzzer    clang's, which looks for code not reached yet
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeSeeds } from '../native/test/program-seeds.fixture.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    number: { type: 'string', default: String(Date.now()) },
    libfuzzer: { type: 'boolean', default: false },
  },
});
const native = join(import.meta.dirname, '../native');
const directory = mkdtempSync(join(tmpdir(), 'stack-fuzz-'));
const program = join(directory, 'fuzz');
const sources = ['fuzz_program.cc', ...(values.libfuzzer ? [] : ['fuzz_driver.cc'])];
const sanitizers = `-fsanitize=address,undefined${values.libfuzzer ? ',fuzzer' : ''}`;

function run(command: string, args: string[]): void {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command}: exit ${status ?? signal}`);
}

try {
  const seeds = await writeSeeds(join(directory, 'seeds'));
  const flags = ['-std=c++20', '-O1', '-g', sanitizers, '-fno-sanitize-recover=all', `-I${native}`];
  const files = sources.map((name) => join(native, 'test', name));
  run(values.libfuzzer ? 'clang++' : 'g++', [...flags, ...files, '-o', program]);
  console.log(`${values.runs} runs, number ${values.number}`);
  if (values.libfuzzer) {
    const limits = [`-runs=${values.runs}`, '-max_len=16384', `-seed=${Number(values.number) % 2 ** 31}`];
    run(program, [...limits, `-artifact_prefix=${process.cwd()}/`, join(directory, 'seeds')]);
  } else {
    run(program, [values.runs, values.number, ...seeds]);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
