/** Lifecycle hooks of a service: commands run in its container. Source: compose-spec 05-services.md "post_start", "pre_stop". */
import { closeSync, createReadStream } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { ServiceHook } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { statusOf } from './lifecycle.ts';
import { exec } from './session.ts';

/** Bytes and lines of a hook's words that its error repeats. */
const longestTail = 2048;
const mostLines = 10;

const sigkill = 9;

type Kind = 'post_start' | 'pre_stop' | 'sync+exec';

/**
 * Resolves when it has exited with 0.
 * @param signal kills it. @throws runtime.hook with what it wrote, what starting it failed with, or the signal's reason
 */
export async function runHook(
  host: Host,
  record: ContainerRecord,
  kind: Kind,
  hook: ServiceHook,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const { command, environment = {}, user, working_dir: workingDir, privileged } = hook;
  const variables = Object.entries(environment).filter(([, value]) => value !== null);
  const session = await exec(host, record, {
    args: command,
    env: variables.map(([name, value]) => `${name}=${value}`),
    isTty: false,
    ...(user ? { user } : {}),
    ...(workingDir ? { workingDir } : {}),
    ...(privileged ? { isPrivileged: true } : {}),
  });
  if (session.stdin !== null) closeSync(session.stdin);
  const said = Promise.all([tailOf(session.stdout), tailOf(session.stderr)]);
  const kill = () => session.signal(sigkill);
  signal?.addEventListener('abort', kill, { once: true });
  const { exitCode } = await session.exited;
  signal?.removeEventListener('abort', kill);
  // What it left running may hold its output for ever.
  const [out, err] = await Promise.race([said, after(restMs, ['', ''] as [string, string])]);
  session.close();
  signal?.throwIfAborted();
  if (exitCode === 0) return;
  const words = (err || out).trim();
  throw new StackError('runtime.hook', {
    message: `${record.name}: the ${kind} hook \`${command.join(' ')}\` exited with ${exitCode}${words ? `: ${words}` : ''}.`,
    hint: `Run it by hand: \`stack exec ${record.service} ${command.join(' ')}\`.`,
    resource: `services.${record.service}.${kind === 'sync+exec' ? 'develop.watch' : kind}`,
    operation: command.join(' '),
  });
}

/** Before a container that runs is stopped. One that fails is told, and the container stopped all the same. */
export async function runStopHooks(
  host: Host,
  record: ContainerRecord,
  onWarning: ((warning: StackError) => void) | undefined,
): Promise<void> {
  const { pre_stop: hooks = [] } = record.config;
  if (hooks.length === 0 || statusOf(host, record).state !== 'running') return;
  for (const hook of hooks) {
    try {
      await runHook(host, record, 'pre_stop', hook);
    } catch (thrown) {
      onWarning?.(asStackError(thrown));
    }
  }
}

const restMs = 1000;
const after = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(resolve, ms, value).unref());

/** Reads to the end, keeps the last lines. */
async function tailOf(fd: Fd | null): Promise<string> {
  if (fd === null) return '';
  let text = '';
  try {
    for await (const chunk of createReadStream('', { fd })) text = (text + String(chunk)).slice(-longestTail);
  } catch {
    // Whatever came until then.
  }
  return text
    .split('\n')
    .slice(-mostLines - 1)
    .join('\n');
}
