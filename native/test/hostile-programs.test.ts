/** The real shim and programs that are broken: it says what is wrong or refuses, dies of no signal, and leaves nothing. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { obstacle } from '../../engine/runtime/shim.fixture.ts';
import type { Remains, Told } from './hostile-programs.fixture.ts';

const run = promisify(execFile);

/** The first process of the pid namespace: takes in all orphans, and says on stderr which died of a signal. */
const init = `
import os, sys
main = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
code = None
while code is None:
    pid, status = os.wait()
    if os.WIFSIGNALED(status):
        print("killed by signal", os.WTERMSIG(status), file=sys.stderr, flush=True)
    if pid == main:
        code = os.waitstatus_to_exitcode(status)
sys.exit(code)
`;

interface Outcome {
  sound: string;
  soundExec: string;
  launches: Told[];
  execs: Told[];
  before: Remains;
  after: Remains;
  beforeExec: Remains;
  afterExec: Remains;
  isAlive: boolean;
  hostname: string;
}

test.skipIf(obstacle)(
  `more than 300 broken programs leave the shim nothing but words${obstacle && ` (skipped: ${obstacle})`}`,
  { timeout: 120_000 },
  async () => {
    const flags = ['-m', '-p', '-n', '-u', '-f', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const script = join(import.meta.dirname, 'hostile-programs.fixture.ts');
    const words = ['python3', '-c', init, process.execPath, script];
    const { stdout, stderr } = await run('unshare', [...flags, ...words], { maxBuffer: 1 << 26 });
    // 9 is of the fixture's own doing: the monitor at its end, and the container with it.
    expect(stderr).not.toMatch(/killed by signal (?!9\n)/);
    const told = JSON.parse(stdout) as Outcome;
    // The whole ones run: what the broken ones tell is told of what was broken.
    expect(told.sound).toBe('exit 0');
    expect(told.soundExec).toBe('exit 0');
    expect(told.launches.length + told.execs.length).toBeGreaterThan(300);
    const isGood = ({ outcome }: Told) => /^(failed: .*|refused: (?!.*signal).*)$/.test(outcome);
    expect(told.launches.filter((one) => !isGood(one))).toEqual([]);
    expect(told.execs.filter((one) => !isGood(one))).toEqual([]);
    expect(told.after).toEqual(told.before);
    expect(told.afterExec).toEqual(told.beforeExec);
    expect(told.isAlive).toBe(true);
    expect(told.hostname).toBe('outside');
  },
);
