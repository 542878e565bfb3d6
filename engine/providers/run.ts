/** Runs a provider and reads what it says: JSON, a line each. Source: docker/compose docs/extension.md "Communication". */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { StackError } from '../../schemas/errors.ts';
import type { Metadata, Verb } from './command.ts';

/** Characters of a line and of what goes to stderr: more is no message. */
const longest = 1024 * 1024;
const longestTail = 2048;

export interface Said {
  /** To be set with the service's name in front. */
  prefixed: Record<string, string>;
  /** To be set as they are. */
  raw: Record<string, string>;
}

interface Running {
  service: string;
  verb: Verb;
  environment: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  onInfo(text: string): void;
  onDebug(text: string): void;
}

/** @throws runtime.provider with the provider's own words, or the reason of `signal` */
export async function runProvider(path: string, args: string[], running: Running): Promise<Said> {
  const { service, verb, environment, signal } = running;
  const said: Said = { prefixed: {}, raw: {} };
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  const stop = () => child.kill('SIGTERM');
  signal?.addEventListener('abort', stop, { once: true });
  let tail = '';
  let problem: StackError | undefined;
  const fail = (why: string, cause?: unknown) => {
    problem ??= new StackError('runtime.provider', {
      message: `The provider of ${service} failed to ${verb}: ${why}`,
      hint: `It was run as \`${[path, ...args].join(' ')}\`.`,
      resource: `services.${service}.provider`,
      cause,
    });
  };
  child.stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-longestTail);
  });
  const ended = new Promise<void>((resolve) => {
    child.on('error', (cause) => {
      fail(`it cannot be run (${(cause as NodeJS.ErrnoException).code})`, cause);
      resolve();
    });
    child.on('close', (code, by) => {
      if (code !== 0)
        fail(`${by ? `it was ended by ${by}` : `it exited with ${code}`}${tail.trim() ? `: ${tail.trim()}` : ''}`);
      resolve();
    });
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (problem || line.trim() === '') continue;
    const why = read(line, said, running);
    if (why) {
      fail(why);
      stop();
    }
  }
  await ended;
  signal?.removeEventListener('abort', stop);
  if (signal?.aborted) throw signal.reason;
  if (problem) throw problem;
  return said;
}

/** What is wrong with a line, or what it says is wrong. */
function read(line: string, said: Said, { onInfo, onDebug }: Running): string | undefined {
  let message: { type?: unknown; message?: unknown } | null = null;
  try {
    message = line.length > longest ? null : JSON.parse(line);
  } catch {
    // Told below.
  }
  const text = message?.message;
  if (typeof text !== 'string') return `it said what is no message: ${line.slice(0, 200)}`;
  switch (message!.type) {
    case 'error':
      return text;
    case 'info':
      onInfo(text.split('\n')[0]!);
      return undefined;
    case 'debug':
      onDebug(text);
      return undefined;
    case 'setenv':
    case 'rawsetenv': {
      const at = text.indexOf('=');
      if (at <= 0) return `it set no variable: ${text.slice(0, 200)}`;
      (message!.type === 'setenv' ? said.prefixed : said.raw)[text.slice(0, at)] = text.slice(at + 1);
      return undefined;
    }
    default:
      return `it sent a message of an unknown type: ${String(message!.type).slice(0, 200)}`;
  }
}

/** What `compose metadata` says; undefined where a provider has no such command. */
export async function readMetadata(path: string, environment: NodeJS.ProcessEnv): Promise<Metadata | undefined> {
  const child = spawn(path, ['compose', 'metadata'], { stdio: ['ignore', 'pipe', 'ignore'], env: environment });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (text.length < longest) text += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(1));
    child.on('close', resolve);
  });
  if (code !== 0) return undefined;
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? (read as Metadata) : undefined;
  } catch {
    return undefined;
  }
}
