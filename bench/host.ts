/** A private host for ours: network, mounts, processes and state of its own, gone with this process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespaceOf, type Process } from './memory.ts';

export interface PrivateHost {
  folder: string;
  /** Words that lead a command into it. */
  inside: string[];
  env: NodeJS.ProcessEnv;
  /** Ours that stays for the containers: in the host's own namespaces, where no container's process is. */
  isMonitor(process: Process): boolean;
  close(): Promise<void>;
}

const kinds = ['mnt', 'pid'] as const;

export async function privateHost(): Promise<PrivateHost> {
  const folder = mkdtempSync(join(tmpdir(), 'stack-bench-host-'));
  for (const name of ['root', 'run']) mkdirSync(join(folder, name));
  const settings = join(folder, 'settings.yaml');
  const cgroupParent = `stack-bench-${process.pid}`;
  writeFileSync(settings, `cgroupParent: ${cgroupParent}\n`);
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  // /run of a machine is a tmpfs; the host's end of input ends it, and with its first process all others.
  const script = `set -e
ip link set lo up
mount -t tmpfs tmpfs "$1/run"
echo ready
while read -r _; do :; done`;
  const flags = ['-n', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const child = spawn('unshare', [...flags, 'bash', '-c', script, 'bash', folder], {
    env: { ...process.env, PATH },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`unshare: exit ${code} (the bench needs root)`)));
    child.once('error', reject);
  });
  const pid = firstChild(child);
  const own = (other: number) => kinds.map((kind) => namespaceOf(other, kind)).join();
  const namespaces = own(pid);
  return {
    folder,
    inside: ['nsenter', '-t', `${pid}`, '-n', '-m', '-p', '--'],
    env: {
      ...process.env,
      PATH,
      STACK_ROOT: join(folder, 'root'),
      STACK_RUN: join(folder, 'run'),
      STACK_SETTINGS: settings,
      NO_COLOR: '1',
    },
    isMonitor: (process) => process.pid !== pid && own(process.pid) === namespaces,
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await gone;
      removeCgroups(cgroupParent);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a run that was interrupted leaves of its cgroups: the machine has them, not the private host. */
function removeCgroups(parent: string): void {
  const under = (directory: string) =>
    readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const remove = (directory: string) => {
    for (const { name } of under(directory)) remove(join(directory, name));
    rmdirSync(directory);
  };
  const root = '/sys/fs/cgroup';
  for (const folder of [root, ...under(root).map(({ name }) => join(root, name))]) {
    for (const { name } of under(folder).filter((entry) => entry.name.startsWith(parent))) remove(join(folder, name));
  }
}

function firstChild({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}
