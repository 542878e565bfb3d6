/** A bundle of busybox for attacks on the runtime: private folder and `--root`, and a look at the end for what is left. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { specTemplate } from '../../engine/runtime/oci/template.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { repository } from '../harness/harness.ts';
import { must, run } from '../harness/process.ts';

const busybox = '/bin/busybox';
const runtimeCommand = join(repository, 'bin/stack-runtime');
const applets = ['cat', 'id', 'ls', 'mkdir', 'mount', 'readlink', 'sh', 'sleep', 'stat', 'true', 'umask', 'wc'];

export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The probe (escape-probe.c), built once for all bundles of a file. */
export class Probe {
  private readonly folder = join(tmpdir(), `stack-probe-${process.pid}-${Date.now()}`);
  readonly file = join(this.folder, 'probe');

  async build(): Promise<void> {
    const source = join(repository, 'e2e/runtime/escape-probe.c');
    mkdirSync(this.folder);
    await must([], ['gcc', '-static', '-O1', '-o', this.file, source], { timeoutMs: 60_000 });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let count = 0;

export class Bundle {
  readonly folder = mkdtempSync(join(tmpdir(), 'stack-escape-'));
  readonly rootfs = join(this.folder, 'rootfs');
  /** What an escape would reach: nothing may ever appear in it. */
  readonly outside = join(this.folder, 'outside');
  readonly state = join(this.folder, 'state');
  readonly id = `escape-${process.pid}-${++count}`;
  private readonly mountsBefore = hostMounts();

  constructor(probe: Probe) {
    for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    mkdirSync(this.outside);
    copyFileSync(busybox, join(this.rootfs, 'bin/busybox'));
    copyFileSync(probe.file, join(this.rootfs, 'bin/probe'));
    for (const name of applets) symlinkSync('busybox', join(this.rootfs, 'bin', name));
  }

  inside = (path: string): string => join(this.rootfs, path);

  /** Writes config.json: runc's template, no terminal, a root to write to, and then what `change` does. */
  configure(args: string[], change: (spec: Spec) => void = () => {}): void {
    const spec = specTemplate(false) as Spec;
    spec.process.terminal = false;
    spec.process.args = args;
    spec.process.env = ['PATH=/bin'];
    spec.root.readonly = false;
    change(spec);
    writeFileSync(join(this.folder, 'config.json'), JSON.stringify(spec));
  }

  /** @param prefix words in front of the runtime's own. */
  runtime(words: string[], prefix: string[] = []): Promise<Said> {
    return run([], [...prefix, runtimeCommand, '--root', this.state, ...words], { timeoutMs: 20_000 });
  }

  run = (prefix: string[] = []): Promise<Said> => this.runtime(['run', '--bundle', this.folder, this.id], prefix);
  exec = (words: string[], options: string[] = []): Promise<Said> =>
    this.runtime(['exec', ...options, this.id, ...words]);

  /** Configured and run to its end. */
  ended(args: string[], change?: (spec: Spec) => void): Promise<Said> {
    this.configure(args, change);
    return this.run();
  }

  /** Configured, and running detached. @throws where it does not. */
  async started(args = ['sleep', '1000'], change?: (spec: Spec) => void): Promise<void> {
    this.configure(args, change);
    // Its output must not be ours: a pipe would stay open for as long as the container runs.
    const words = [runtimeCommand, '--root', this.state, 'run', '--detach', '--bundle', this.folder, this.id];
    const script = `log=${this.folder}/error; "$@" < /dev/null > $log 2>&1 || { cat $log; exit 1; }`;
    await must([], ['sh', '-c', script, 'sh', ...words]);
  }

  /** Lines for all that should not be there: outside of the root, in the kernel, in the runtime's state. */
  leaks(): string[] {
    const mounts = hostMounts();
    return [
      ...readdirSync(this.outside, { recursive: true }).map((name) => `outside of the root: ${String(name)}`),
      ...mounts.filter((line) => !this.mountsBefore.includes(line)).map((line) => `mount: ${line}`),
      ...(existsSync(this.state) ? readdirSync(this.state) : []).map((name) => `state: ${name}`),
      ...cgroups(this.id).map((path) => `cgroup: ${path}`),
      ...processesIn(this.rootfs).map((line) => `process: ${line}`),
    ];
  }

  /** @throws where anything is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime(['delete', '--force', this.id]);
    const left = this.leaks();
    rmSync(this.folder, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
  }
}

/** The template's properties are all there. */
export type Spec = RuntimeSpec & {
  process: NonNullable<RuntimeSpec['process']>;
  root: NonNullable<RuntimeSpec['root']>;
  mounts: NonNullable<RuntimeSpec['mounts']>;
  linux: NonNullable<RuntimeSpec['linux']>;
};

/** Mount points of this mount namespace, without their numbers. */
const hostMounts = (): string[] => readFileSync('/proc/self/mounts', 'utf8').split('\n');

function cgroups(id: string): string[] {
  const top = '/sys/fs/cgroup';
  return readdirSync(top)
    .map((name) => join(top, name, 'stack-runtime', id))
    .filter(existsSync);
}

/** Processes whose root is the bundle's, or that the runtime left on the way there. */
function processesIn(rootfs: string): string[] {
  const folder = dirname(rootfs);
  const root = `${basename(folder)}/rootfs / `;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isRoot = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(root);
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return isRoot || command.includes(folder) ? [`${pid} ${command}`] : [];
      } catch {
        return [];
      }
    });
}

/** A process beside the test for as long as it takes; killed at the end of the scope. */
export function beside(words: string[]): Disposable & { ended: Promise<string> } {
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(said)));
  return { ended, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}
