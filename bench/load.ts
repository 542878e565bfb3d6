/**
 * `npm run bench:load`: what `stack config` and `stack plan` cost for stacks of 50, 500 and 5,000 services with about six
 * dependencies each, beyond the start of Node itself. With the product built, as root.
 *
 *   npm run bench:load -- --runs 5 --sizes 50,500,5000
 *
 * Seconds that pass and seconds of processor, each the least of the runs: what others do on the machine only adds.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bigStack } from '../planner/load/big-stack.fixture.ts';

const { values: options } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, sizes: { type: 'string', default: '50,500,5000' } },
});
const runs = Number(options.runs);
const stack = join(dirname(import.meta.dirname), 'bin/stack');

interface Cost {
  passed: number;
  processor: number;
}

/** Milliseconds of one run of `command`, by the shell's own clock: it counts the children's processor time. */
function once(command: string[], directory: string): Cost {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>/dev/null';
  const environment = { ...process.env, STACK_ROOT: join(directory, 'root'), STACK_RUN: join(directory, 'run') };
  const { stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    cwd: directory,
    env: environment,
    encoding: 'utf8',
  });
  // `plan` answers 2 where it has something to do.
  if (status !== 0 && status !== 2) throw new Error(`${command.join(' ')}: exit code ${status}`);
  const [passed, user, system] = stderr.trim().split(/\s+/).map(Number) as [number, number, number];
  return { passed: passed * 1000, processor: (user + system) * 1000 };
}

function cost(command: string[], directory: string): Cost {
  const all = Array.from({ length: runs }, () => once(command, directory));
  return {
    passed: Math.min(...all.map(({ passed }) => passed)),
    processor: Math.min(...all.map(({ processor }) => processor)),
  };
}

const temporary = mkdtempSync(join(tmpdir(), 'stack-bench-load-'));
try {
  const start = cost([process.execPath, '-e', '0'], temporary);
  console.log(
    `the start of Node: ${start.passed.toFixed(0)} ms, of which processor ${start.processor.toFixed(0)} ms\n`,
  );
  console.log('services  edges  command    beyond it  processor  for each service');
  for (const size of options.sizes.split(',').map(Number)) {
    const directory = join(temporary, String(size));
    mkdirSync(directory);
    const { text, edges } = bigStack(size);
    writeFileSync(join(directory, 'compose.yaml'), text);
    for (const command of ['config', 'plan']) {
      const { passed, processor } = cost([stack, command], directory);
      const beyond = [passed - start.passed, processor - start.processor].map((ms) =>
        `${ms.toFixed(0)} ms`.padStart(9),
      );
      const each = `${((processor - start.processor) / size).toFixed(2)} ms`.padStart(16);
      const row = [String(size).padStart(8), String(edges).padStart(5), command.padEnd(9), ...beyond, each];
      console.log(row.join('  '));
    }
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
