/**
 * Runs a command some times, one after the other, and prints the milliseconds each took as JSON. A process of its own, so
 * that it can be put into other namespaces without these being part of what is measured.
 *
 *   node bench/loop.ts <runs> <words…>      each `{}` in the words becomes a number that differs from run to run
 */
import { spawnSync } from 'node:child_process';

const [runs, ...words] = process.argv.slice(2);
const milliseconds: number[] = [];
for (let run = 0; run < Number(runs); run++) {
  const [command, ...args] = words.map((word) => word.replace('{}', String(run)));
  const start = process.hrtime.bigint();
  const done = spawnSync(command!, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  milliseconds.push(Number(process.hrtime.bigint() - start) / 1e6);
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${words.join(' ')}: exit ${done.status ?? done.signal}: ${done.stderr}`);
}
console.log(JSON.stringify(milliseconds));
