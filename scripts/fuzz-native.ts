/** Builds a fuzz target of native/test with the sanitizers, and runs it on the seeds of programs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSeeds } from '../native/test/program-seeds.fixture.ts';

export interface Fuzzing {
  /** Names in native/test: the target, and what drives it without libFuzzer. */
  target: string;
  driver: string;
  /** Absolute paths of what the target is linked with. */
  linked?: string[];
  /** How many inputs, as said and as the driver takes them. */
  count: string;
  what: string;
  /** The same inputs for the same number. */
  number: string;
  /** clang's, which looks for code not reached yet. */
  usesLibFuzzer: boolean;
  /** Seeds the driver gets; all without. */
  isSeed?: (file: string) => boolean;
}

/** @throws an Error where the target cannot be built, or found something */
export async function fuzz(request: Fuzzing): Promise<void> {
  const { target, driver, linked = [], count, what, number, usesLibFuzzer, isSeed = () => true } = request;
  const native = join(import.meta.dirname, '../native');
  const directory = mkdtempSync(join(tmpdir(), 'stack-fuzz-'));
  const program = join(directory, 'fuzz');
  const sources = [target, ...(usesLibFuzzer ? [] : [driver])].map((name) => join(native, 'test', name));
  const sanitizers = `-fsanitize=address,undefined${usesLibFuzzer ? ',fuzzer' : ''}`;
  try {
    const seeds = (await writeSeeds(join(directory, 'seeds'))).filter(isSeed);
    const flags = ['-std=c++20', '-O1', '-g', sanitizers, '-fno-sanitize-recover=all', `-I${native}`];
    run(usesLibFuzzer ? 'clang++' : 'g++', [...flags, ...sources, ...linked, '-o', program]);
    console.log(`${count} ${what}, number ${number}`);
    if (usesLibFuzzer) {
      const limits = [`-runs=${count}`, '-max_len=16384', `-seed=${Number(number) % 2 ** 31}`];
      run(program, [...limits, `-artifact_prefix=${process.cwd()}/`, join(directory, 'seeds')]);
    } else {
      run(program, [count, number, ...seeds]);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(command: string, args: string[]): void {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command}: exit ${status ?? signal}`);
}
