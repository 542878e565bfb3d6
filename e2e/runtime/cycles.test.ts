/** A thousand containers after one another in one process: nothing grows. STACK_CYCLES=… makes it another number. */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cycles } from './cycles.fixture.ts';

const run = promisify(execFile);
const cycles = Number(process.env.STACK_CYCLES ?? 1000);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-cycles-'));
  const rootfs = join(folder, 'rootfs');
  for (const name of ['bin', 'dev', 'proc', 'sys']) mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  execFileSync(join(import.meta.dirname, '../../bin/stack-runtime'), ['spec'], { cwd: folder });
  const file = join(folder, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as { process: { terminal: boolean; args: string[] } };
  spec.process.terminal = false;
  spec.process.args = ['busybox', 'true'];
  writeFileSync(file, JSON.stringify(spec));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(`${cycles} cycles of create, start, wait and delete leave nothing`, {
  timeout: 30_000 + cycles * 40,
}, async () => {
  const script = join(import.meta.dirname, 'cycles.fixture.ts');
  const words = [process.execPath, '--expose-gc', script, `${cycles}`, folder, join(folder, 'state')];
  const flags = ['-m', '-p', '-f', '--kill-child', '--mount-proc', '--propagation', 'private'];
  // The shell is the first process of its namespace, which takes in the shims.
  const { stdout } = await run('unshare', [...flags, 'sh', '-c', '"$@"; exit $?', 'sh', ...words]);
  const { before, after, milliseconds } = JSON.parse(stdout) as Cycles;
  console.log(`${cycles} cycles: ${(milliseconds / cycles).toFixed(1)} ms each`, before, after);
  const countable = ({ heapMiB: _, residentMiB: __, ...counts }: Cycles['after']) => counts;
  expect(countable(after)).toEqual(countable(before));
  expect(after).toMatchObject({ cgroups: 0, processes: 2, files: 0 });
  // What a cycle kept, a thousand times: 4 KiB of each would be seen.
  expect(after.heapMiB - before.heapMiB).toBeLessThan(4);
  expect(after.residentMiB - before.residentMiB).toBeLessThan(48);
});
