/** A bundle of busybox with a state root of its own, the built runtime to run it with, and a look for what is left. */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { repository } from '../harness/harness.ts';
import { type Document, document } from './document.ts';
import { remains } from './remains.ts';

export const program = join(repository, 'bin/stack-runtime');

export interface Outcome {
  /** 128 + signal where one ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CallOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** Handed on as 3, 4, … */
  fds?: number[];
  /** Words in front of the runtime's own: `unshare -n`. */
  entry?: string[];
  cwd?: string;
}

export interface Live {
  child: ChildProcess;
  ended: Promise<Outcome>;
}

export interface State {
  ociVersion: string;
  id: string;
  status: string;
  pid: number;
  bundle: string;
  annotations: Record<string, string>;
}

let count = 0;

export class Bundle {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'stack-oci-')));
  readonly root = join(this.directory, 'root');
  readonly path = join(this.directory, 'bundle');
  readonly rootfs = join(this.path, 'rootfs');
  /** No other container of this machine is named so. */
  readonly id = `e2e-${process.pid}-${++count}`;
  private calls = 0;

  constructor() {
    for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp']) {
      mkdirSync(join(this.rootfs, name), { recursive: true });
    }
    copyFileSync('/bin/busybox', join(this.rootfs, 'bin/busybox'));
    execFileSync('chroot', [this.rootfs, '/bin/busybox', '--install', '-s', '/bin']);
    this.write();
  }

  /** config.json: a sound one, changed. Without a command it sleeps. */
  write(change: (spec: Document) => void = () => {}): void {
    const spec = document(this.id);
    change(spec);
    writeFileSync(join(this.path, 'config.json'), JSON.stringify(spec));
  }

  file(name: string, text?: string): string {
    const path = join(this.directory, name);
    if (text !== undefined) writeFileSync(path, text, { mode: 0o755 });
    return path;
  }

  /** For those who are nobody outside: a user namespace. */
  open(): void {
    for (const path of [this.directory, this.path]) chmodSync(path, 0o755);
  }

  has = (name: string) => existsSync(this.file(name));
  proc = (pid: number, name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  /** '' where there is no such file. */
  text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '');

  /** Cgroups above the container's own, which are not its to remove. */
  clear(tops: string[]): void {
    for (const top of tops) for (const path of [`${top}/deep`, top]) rmdirSync(path);
  }

  /** Once the call of this number, or what it left running, has said so. */
  said(call: number, word: string): Promise<{ stdout: string; stderr: string }> {
    return until(word, () => {
      const [stdout, stderr] = [this.read(`call-${call}.out`), this.read(`call-${call}.err`)];
      return (stdout + stderr).includes(word) && { stdout, stderr };
    });
  }

  read = (name: string) => readFileSync(this.file(name), 'utf8');

  /** Its streams are files: what it leaves running may hold them. */
  launch(args: string[], { input, env, fds = [], entry = [], cwd = this.path }: CallOptions = {}): Live {
    const name = this.file(`call-${++this.calls}`);
    const streams = ['out', 'err'].map((stream) => openSync(`${name}.${stream}`, 'w'));
    const stdio: StdioOptions = [input === undefined ? 'ignore' : 'pipe', ...streams, ...fds];
    const words = [...entry, program, '--root', this.root, ...args];
    const child = spawn(words[0]!, words.slice(1), { cwd, stdio, env: env ?? process.env });
    for (const stream of streams) closeSync(stream);
    child.stdin?.end(input);
    const ended = new Promise<Outcome>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const [stdout, stderr] = ['out', 'err'].map((stream) => readFileSync(`${name}.${stream}`, 'utf8'));
        resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 255), stdout: stdout!, stderr: stderr! });
      });
    });
    return { child, ended };
  }

  call = (args: string[], options?: CallOptions): Promise<Outcome> => this.launch(args, options).ended;

  /** One that must succeed; answers its standard output. @throws with what it said. */
  async must(args: string[], options?: CallOptions): Promise<string> {
    const { code, stdout, stderr } = await this.call(args, options);
    if (code !== 0) throw new Error(`stack-runtime ${args.join(' ')} exited with ${code}:\n${stderr}${stdout}`);
    return stdout;
  }

  /** One that must fail as the runtime's own failure; answers what it said. */
  async refused(args: string[], options?: CallOptions): Promise<string> {
    const { code, stdout, stderr } = await this.call(args, options);
    if (code === 0 || !/^stack-runtime: /m.test(stderr)) {
      throw new Error(
        `stack-runtime ${args.join(' ')} exited with ${code}, and was to be refused:\n${stderr}${stdout}`,
      );
    }
    return stderr;
  }

  create = (...args: string[]) => this.must(['create', ...args, this.id]);
  start = () => this.must(['start', this.id]);
  destroy = () => this.must(['delete', '--force', this.id]);
  state = async (id = this.id): Promise<State> => JSON.parse(await this.must(['state', id])) as State;

  /** What a shell script in the foreground prints, with config.json changed. */
  async sees(script: string, change: (spec: Document) => void = () => {}, options?: CallOptions): Promise<string> {
    this.write((spec) => {
      spec.process.args = ['sh', '-c', script];
      change(spec);
    });
    return (await this.must(['run', this.id], options)).trimEnd();
  }

  async status(wanted: string): Promise<State> {
    return until(`${this.id} is ${wanted}`, async () => {
      const state = await this.state();
      return state.status === wanted && state;
    });
  }

  /** What is left of every container made here: nothing, if all were deleted. */
  remains(): Promise<string[]> {
    return remains({ directory: this.directory, root: this.root, rootfs: this.rootfs, tag: this.id });
  }

  /** Deletes what there is. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of listed(this.root)) await this.call(['delete', '--force', id]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function listed(root: string): string[] {
  try {
    return readdirSync(root);
  } catch {
    return [];
  }
}

/** @throws after ten seconds, with what was waited for. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(10)) {
    const found = await probe();
    if (found) return found;
  }
  throw new Error(`not in ten seconds: ${what}`);
}

/** Runs it in a bundle of its own, and fails where anything is left of what it made. */
export async function inBundle(run: (bundle: Bundle) => Promise<void>): Promise<void> {
  await using bundle = new Bundle();
  await run(bundle);
  const left = await bundle.remains();
  if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
}

/** The text of a file as soon as there is one. */
export const content = (file: string): Promise<string> =>
  until(basename(file), () => {
    try {
      return statSync(file).size > 0 && readFileSync(file, 'utf8');
    } catch {
      return false;
    }
  });

export type { RuntimeSpec };
