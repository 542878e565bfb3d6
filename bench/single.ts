/** One bare container (its own namespaces, no network, `true`): created, started, ended, removed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import type { PrivateHost } from './host.ts';
import { imageName, which } from './image.ts';
import { median, type Row, table } from './table.ts';

const runtimes = ['crun', 'runc'];

/**
 * Ours through the engine in one process, as `stack up` does it (bench/single-ours.ts); the runtimes as podman and docker
 * use them, a command for each container. crun refuses a hybrid cgroup mount, so both runtimes see the hierarchies of version 1 only.
 */
export async function measureSingle(host: PrivateHost, layer: Buffer, runs: number, say: (line: string) => void) {
  const values = new Map<string, number>();
  const measure = async (name: string, words: string[], env?: NodeJS.ProcessEnv) => {
    say(`one container, ${runs} runs: ${name}`);
    const { stdout } = await run(words, { timeoutMs: 300_000, ...(env && { env }) });
    values.set(name, median(JSON.parse(stdout) as number[]));
  };
  const script = (name: string) => [process.execPath, join(import.meta.dirname, name), `${runs}`];
  await measure('stack', [...host.inside, ...script('single-ours.ts'), imageName], host.env);
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
    const bundle = join(host.folder, `bundle-${name}`);
    mkdirSync(bundle);
    execFileSync(command, ['spec'], { cwd: bundle });
    const file = join(bundle, 'config.json');
    const spec = JSON.parse(readFileSync(file, 'utf8')) as { process: object; root: object };
    spec.process = { ...spec.process, terminal: false, args: ['true'] };
    spec.root = { path: rootfs, readonly: true };
    writeFileSync(file, JSON.stringify(spec));
    const enter = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', legacy, 'sh'];
    const words = [command, 'run', '--bundle', bundle, `stack-bench-${process.pid}-{}`];
    await measure(name, [...enter, ...script('loop.ts'), ...words]).catch((error: Error) => say(error.message));
  }
  const row: Row = { name: 'one container: create, start, exit, remove', values, unit: 'ms' };
  return table([row], [...values.keys()]);
}
