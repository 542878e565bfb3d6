/**
 * One bundle, `true` in busybox, from create to delete: through the engine in one process, and as commands, ours, crun and
 * runc. Medians, and how many times ours each takes; then what of ours is resident while a container waits.
 *
 *   npm run bench:runtime -- --runs 60       as root, with the product built
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from './command.ts';
import { busyboxLayer, which } from './image.ts';
import { median, type Row, table } from './table.ts';

/** Rounds in which the contenders take turns, so that whatever else the machine does falls on each alike. */
const rounds = 6;
const ours = join(dirname(import.meta.dirname), 'bin/stack-runtime');

/**
 * All see the same: mounts of their own with hierarchies of cgroup version 1 only, because crun refuses a hybrid, and /run
 * on a tmpfs, as machines have it.
 */
const surroundings = `if [ -d /sys/fs/cgroup/unified ]; then umount -l /sys/fs/cgroup/unified; fi
mount -t tmpfs tmpfs /run
exec "$@"`;
const enter = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', surroundings, 'sh'];
const script = (name: string, ...words: string[]) => [
  ...enter,
  process.execPath,
  join(import.meta.dirname, name),
  ...words,
];

/** @param runs how often each is run; more, up to full rounds. */
export async function measureRuntimes(layer: Buffer, runs: number, say: (line: string) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'stack-bench-runtime-'));
  try {
    const bundle = makeBundle(folder, layer);
    const inRound = `${Math.ceil(runs / rounds) + 1}`;
    const loop = (...words: string[]) => script('loop.ts', inRound, ...words);
    const id = `stack-bench-${process.pid}-{}`;
    const commands = new Map([
      ['in process', script('runtime-ours.ts', inRound, bundle, '/run/stack-bench')],
      ['stack-runtime', loop(ours, '--root', '/run/stack-bench', 'run', '--bundle', bundle, id)],
    ]);
    for (const name of ['crun', 'runc']) {
      const command = which(name);
      if (command) commands.set(name, loop(command, 'run', '--bundle', bundle, id));
      else say(`${name}: not measured, not found`);
    }
    const values = await medians(commands, say);
    const row: Row = { name: 'one bundle: create, start, exit, delete', values, unit: 'ms' };
    const { stdout } = await run(script('runtime-memory.ts', bundle, '/run/stack-bench'));
    return `${table([row], [...values.keys()])}\n\n${stdout.trimEnd()}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function medians(commands: Map<string, string[]>, say: (line: string) => void): Promise<Map<string, number>> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, words] of commands) {
      say(`one bundle, round ${round + 1} of ${rounds}: ${name}`);
      const { stdout } = await run(words, { timeoutMs: 300_000 });
      // The first of each round finds cold caches.
      samples.set(name, [...(samples.get(name) ?? []), ...(JSON.parse(stdout) as number[]).slice(1)]);
    }
  }
  return new Map([...samples].map(([name, milliseconds]) => [name, median(milliseconds)]));
}

function makeBundle(folder: string, layer: Buffer): string {
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  execFileSync('tar', ['-x', '-C', rootfs], { input: layer });
  execFileSync(ours, ['spec'], { cwd: folder });
  const file = join(folder, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as { ociVersion: string; process: object; root: object };
  spec.ociVersion = '1.0.2'; // crun 1.8 refuses what is newer than itself
  spec.process = { ...spec.process, terminal: false, args: ['true'] };
  spec.root = { path: rootfs, readonly: true };
  writeFileSync(file, JSON.stringify(spec));
  return folder;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '60' } } });
  const say = (line: string) => process.stderr.write(`${line}\n`);
  console.log(await measureRuntimes(await busyboxLayer(), Number(values.runs), say));
}
