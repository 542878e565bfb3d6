/** Processes in a private host: run to the end, or live with their output at hand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Finished {
  /** Exit code; 128 + signal number is what a shell makes of `signal`, not done here. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Live {
  /** Of the command itself, as the machine counts. Undefined until it runs. */
  pid(): number | undefined;
  stdout(): string;
  stderr(): string;
  write(text: string): void;
  end(): void;
  /** Signals the command itself, not what led into its namespaces. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the match as soon as the output (both streams together) has it; rejects at its end or in time. */
  output(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  exited: Promise<Finished>;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  input?: string;
  /** Milliseconds after which the command is killed. */
  timeoutMs?: number;
}

/** Pids of the children of a process, without /proc/…/children, which not every kernel has. */
export function children(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** @param entry words in front of the command that lead into its namespaces; the last of them forks. */
export function start(entry: string[], command: string[], options: RunOptions = {}): Live {
  const inside = ['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', options.cwd ?? '/', ...command];
  const words = [...entry, ...inside];
  const child: ChildProcess = spawn(words[0]!, words.slice(1), {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let isOver = false;
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const watcher of [...watchers]) watcher();
  };
  const collect = (stream: NodeJS.ReadableStream | null, add: (text: string) => void) => {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      add(text);
      changed();
    });
  };
  collect(child.stdout, (text) => {
    stdout += text;
  });
  collect(child.stderr, (text) => {
    stderr += text;
  });
  child.stdin?.on('error', () => {});
  const pid = () => (entry.length === 0 ? child.pid : children(child.pid ?? 0)[0]);
  const kill = (signal: NodeJS.Signals) => {
    const target = pid();
    if (target !== undefined) process.kill(target, signal);
  };
  const timer = setTimeout(() => {
    stderr += `\n[killed by the harness after ${options.timeoutMs ?? 120_000} ms]`;
    kill('SIGKILL');
  }, options.timeoutMs ?? 120_000);
  const exited = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      isOver = true;
      changed();
      resolve({ code, signal, stdout, stderr });
    });
  });
  if (options.input !== undefined) child.stdin?.end(options.input);
  return {
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    write: (text) => void child.stdin?.write(text),
    end: () => void child.stdin?.end(),
    kill,
    exited,
    output(pattern, timeoutMs = 30_000) {
      return new Promise((resolve, reject) => {
        const fail = (why: string) => {
          watchers.delete(look);
          clearTimeout(limit);
          reject(new Error(`${pattern} not printed: ${why}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`));
        };
        const look = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match) {
            watchers.delete(look);
            clearTimeout(limit);
            resolve(match);
          } else if (isOver) fail('the command ended');
        };
        const limit = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
        watchers.add(look);
        look();
      });
    },
  };
}

export async function run(entry: string[], command: string[], options: RunOptions = {}): Promise<Finished> {
  const live = start(entry, command, options);
  if (options.input === undefined) live.end();
  return live.exited;
}

/** As {@link run}, for what must work before a test means anything. */
export async function must(entry: string[], command: string[], options: RunOptions = {}): Promise<string> {
  const done = await run(entry, command, options);
  if (done.code === 0) return done.stdout;
  throw new Error(`${command.join(' ')}: exit ${done.code ?? done.signal}\n${done.stdout}${done.stderr}`);
}
