/** Hooks in the runtime's own namespaces. Source: runtime-spec config.md "POSIX-platform Hooks". */
import { spawn } from 'node:child_process';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../../../schemas/errors.ts';
import type { ProcessVerbs } from '../../../schemas/kernel.ts';
import type { Hook } from '../../../schemas/oci-runtime.ts';
import type { HookStep, StateText } from '../program/process.ts';
import type { StateDocument } from './state.ts';

const longestOutput = 4096;
/** For the words of a hook that failed which come with its end: its own still unread, or those of a process it started. */
const restMs = 1000;

/** One after the other, in their order; the first that fails ends it. @throws runtime.hook */
export async function runHooks(
  verbs: ProcessVerbs,
  kind: string,
  hooks: Hook[] = [],
  state: StateDocument,
): Promise<void> {
  // What the caller left open is not for hooks: Node marks the first of them alone.
  if (hooks.length > 0) verbs.closeOnExec(3);
  for (const hook of hooks) await runHook(kind, hook, state);
}

function runHook(kind: string, hook: Hook, state: StateDocument): Promise<void> {
  const [argv0 = hook.path, ...args] = hook.args ?? [];
  // Only what the configuration names: nothing of the caller's environment reaches a hook.
  const env = Object.fromEntries((hook.env ?? []).map((entry) => split(entry)));
  return new Promise((resolve, reject) => {
    const child = spawn(hook.path, args, {
      argv0,
      env,
      cwd: state.bundle,
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    let output = '';
    let isLate = false;
    const timer = hook.timeout
      ? setTimeout(() => {
          isLate = true;
          if (child.pid) killGroup(child.pid);
        }, hook.timeout * 1000)
      : undefined;
    const failed = (why: string, cause?: unknown) => {
      clearTimeout(timer);
      const said = output.trim() ? `: ${output.trim()}` : '';
      reject(
        new StackError('runtime.hook', {
          message: `The ${kind} hook ${hook.path} ${why}${said}.`,
          hint: 'Hooks are programs named in config.json; run this one by hand with the state on stdin to see why.',
          resource: `hooks.${kind}`,
          operation: hook.path,
          cause,
        }),
      );
    };
    child.stderr.on('data', (chunk: Buffer) => {
      if (output.length < longestOutput) output += chunk.toString();
    });
    child.on('error', (cause) => failed(`cannot be run: ${(cause as NodeJS.ErrnoException).code}`, cause));
    // `exit` and not `close`: what a hook leaves running may hold its stderr.
    child.on('exit', async (code, signal) => {
      clearTimeout(timer);
      const hasFailed = isLate || code !== 0;
      if (hasFailed) await Promise.race([finished(child.stderr).catch(() => {}), delay(restMs)]);
      child.stderr.destroy();
      if (isLate) failed(`was not done after ${hook.timeout} s`);
      else if (hasFailed) failed(signal ? `was killed by ${signal}` : `exited with ${code}`);
      else resolve();
    });
    // A hook need not read it.
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(state));
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended just now.
  }
}

function split(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Hooks that run inside the container, for its program. */
export const hookSteps = (hooks: Hook[] = [], cwd: string, state: StateText): HookStep[] =>
  hooks.map(({ path, args = [], env = [], timeout = 0 }) => ({
    path,
    args,
    env,
    cwd,
    timeoutMs: timeout * 1000,
    state,
  }));
