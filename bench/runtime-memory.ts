/**
 * What of ours is resident while a container waits: the process that waits for its start, and the shim of one in the
 * foreground.
 *
 *   node bench/runtime-memory.ts <bundle> <state root>
 */
import { readFileSync } from 'node:fs';
import { create } from '../engine/runtime/oci/create.ts';
import { remove } from '../engine/runtime/oci/kill.ts';
import { runtimeAt } from './runtime-cycle.ts';

const [bundle, root] = process.argv.slice(2);
const runtime = runtimeAt(root!);

/** proc_pid_status(5) and proc_pid_smaps_rollup(5), in KiB. RssShmem is the shim's own executable: it lies in a memfd. */
function memory(name: string, pid: number): void {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8') + readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (key: string) => `${key} ${new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]}`;
  const fields = ['VmHWM', 'VmRSS', 'RssAnon', 'RssFile', 'RssShmem', 'Pss', 'Private_Dirty'];
  console.log(`${name}, kB: ${fields.map(field).join(', ')}`);
}

const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

for (const waits of [false, true]) {
  const id = `stack-bench-${process.pid}`;
  const options = { bundle: bundle!, isDetached: !waits, waits, startsItself: waits };
  const { state, launched } = await create(runtime, id, options);
  if (waits) memory('a shim in the foreground', parentOf(state.pid));
  else memory('a process that waits for start', state.pid);
  launched.close();
  await remove(runtime, id, true);
}
