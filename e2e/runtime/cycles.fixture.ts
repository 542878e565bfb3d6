/**
 * Containers made, started, waited for and deleted in this process, one after the other; prints what there was of everything
 * after a first few and after all as JSON. To be run in mount and pid namespaces of its own (cycles.test.ts).
 *
 *   node --expose-gc e2e/runtime/cycles.fixture.ts <cycles> <bundle> <state root>
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runBundle, runtimeAt } from '../../bench/runtime-cycle.ts';
import { hierarchies } from '../../engine/runtime/cgroup/cgroup.ts';
import { create } from '../../engine/runtime/oci/create.ts';
import { remove } from '../../engine/runtime/oci/kill.ts';
import { start } from '../../engine/runtime/oci/start.ts';

/** How many of each. */
export interface Counts {
  descriptors: number;
  mounts: number;
  cgroups: number;
  processes: number;
  files: number;
  heapMiB: number;
  residentMiB: number;
}

export interface Cycles {
  before: Counts;
  after: Counts;
  milliseconds: number;
}

const [cycles, bundle, root] = process.argv.slice(2);
const runtime = runtimeAt(root!);
const prefix = `cycles-${process.ppid}-`;
const warmUp = 50;

/** As `create` and `start` do it, a command each: nobody stays between them, and nobody is told the exit code. */
async function apart(id: string): Promise<void> {
  const { state, launched } = await create(runtime, id, { bundle: bundle!, isDetached: true });
  launched.close();
  const pidfd = runtime.kernel.process.pidfdOpen(state.pid);
  await start(runtime, id);
  await runtime.kernel.process.pidfdWait(pidfd);
  closeSync(pidfd);
  await remove(runtime, id, false);
}

async function cycle(number: number): Promise<void> {
  const id = `${prefix}${number}`;
  if (number % 4 === 3) return apart(id);
  const code = await runBundle(runtime, id, bundle!);
  if (code !== 0) throw new Error(`${id}: exit ${code}`);
}

/** Directories of ours below each hierarchy: other programs of the machine have theirs there, too. */
function cgroups(directory: string): number {
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const counts = below.map(({ name }) => (name.startsWith(prefix) ? 1 : 0) + cgroups(`${directory}/${name}`));
  return counts.reduce((sum, count) => sum + count, 0);
}

function look(): Counts {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const all = hierarchies();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    cgroups: [...all.v1, ...(all.v2 ? [all.v2] : [])].reduce((sum, { path }) => sum + cgroups(path), 0),
    processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length,
    files: readdirSync(root!, { recursive: true }).length,
    heapMiB: heapUsed / 2 ** 20,
    residentMiB: rss / 2 ** 20,
  };
}

/** A shim ends a moment after its last word: no process more than there were, or those that stay. */
async function settled(processes: number): Promise<Counts> {
  for (let tries = 0; tries < 100 && look().processes > processes; tries++) await sleep(20);
  return look();
}

for (let number = 0; number < warmUp; number++) await cycle(number);
const before = await settled(2);
const began = performance.now();
for (let number = warmUp; number < warmUp + Number(cycles); number++) await cycle(number);
const milliseconds = performance.now() - began;
const told: Cycles = { before, after: await settled(before.processes), milliseconds };
console.log(JSON.stringify(told));
