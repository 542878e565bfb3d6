/**
 * One container of a bundle after the other through the engine, in this process: created, started, ended, removed.
 * Prints the milliseconds of each as JSON.
 *
 *   node bench/runtime-ours.ts <runs> <bundle> <state root>
 */
import { runBundle, runtimeAt } from './runtime-cycle.ts';

const [runs, bundle, root] = process.argv.slice(2);
const runtime = runtimeAt(root!);
const milliseconds: number[] = [];
for (let run = 0; run < Number(runs); run++) {
  const start = process.hrtime.bigint();
  const code = await runBundle(runtime, `stack-bench-${process.pid}-${run}`, bundle!);
  milliseconds.push(Number(process.hrtime.bigint() - start) / 1e6);
  if (code !== 0) throw new Error(`exit ${code}`);
}
console.log(JSON.stringify(milliseconds));
