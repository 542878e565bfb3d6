/** One bare container (its own namespaces, no network, `true`): created, started, ended, removed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import type { PrivateHost } from './host.ts';
import { imageName, which } from './image.ts';
import { median, type Row, table } from './table.ts';

const runtimes = ['crun', 'runc'];

/** Rounds in which the contenders take turns, so that whatever else the machine does falls on each alike. */
const rounds = 4;

/**
 * Ours through the engine in one process, as `stack up` does it (bench/single-ours.ts); the runtimes as podman and
 * docker use them, a command for each container. crun refuses a hybrid cgroup mount, so both runtimes see the
 * hierarchies of version 1 only.
 */
export async function measureSingle(host: PrivateHost, layer: Buffer, runs: number, say: (line: string) => void) {
  const inRound = `${Math.ceil(runs / rounds)}`;
  const script = (name: string) => [process.execPath, join(import.meta.dirname, name), inRound];
  const commands = new Map([['stack', [...host.inside, ...script('single-ours.ts'), imageName]]]);
  const rootfs = join(host.folder, 'rootfs');
  mkdirSync(rootfs);
  execFileSync('tar', ['-x', '-C', rootfs], { input: layer });
  const legacy = 'if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec "$@"';
  for (const name of runtimes) {
    const command = which(name);
    if (!command) {
      say(`${name}: not measured, not found`);
      continue;
    }
    const bundle = makeBundle(command, join(host.folder, `bundle-${name}`), rootfs);
    const enter = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', legacy, 'sh'];
    const words = [command, 'run', '--bundle', bundle, `stack-bench-${process.pid}-{}`];
    commands.set(name, [...enter, ...script('loop.ts'), ...words]);
  }
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, words] of commands) {
      say(`one container, round ${round + 1} of ${rounds}: ${name}`);
      try {
        const { stdout } = await run(words, { timeoutMs: 300_000, env: host.env });
        // The first of each round finds cold caches.
        samples.set(name, [...(samples.get(name) ?? []), ...(JSON.parse(stdout) as number[]).slice(1)]);
      } catch (error) {
        say((error as Error).message);
        commands.delete(name);
      }
    }
  }
  const values = new Map([...samples].map(([name, milliseconds]) => [name, median(milliseconds)]));
  const row: Row = { name: 'one container: create, start, exit, remove', values, unit: 'ms' };
  return table([row], [...values.keys()]);
}

/** An OCI bundle as `spec` of the runtime writes it, running `true` without a terminal. */
function makeBundle(command: string, bundle: string, rootfs: string): string {
  mkdirSync(bundle);
  execFileSync(command, ['spec'], { cwd: bundle });
  const file = join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(file, 'utf8')) as { process: object; root: object };
  spec.process = { ...spec.process, terminal: false, args: ['true'] };
  spec.root = { path: rootfs, readonly: true };
  writeFileSync(file, JSON.stringify(spec));
  return bundle;
}
