/** start: the program of a created container runs. Source: runtime-spec runtime.md "Start", lifecycle steps 6 to 9. */
import { closeSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd } from '../../../schemas/kernel.ts';
import { isFailure, readReport, reportSize } from '../launcher.ts';
import { readSpec } from '../spec-json.ts';
import type { Runtime } from './create.ts';
import { cleanUpAfter, destroyAfter, killProcess } from './destroy.ts';
import { setUpError, warningText } from './failure.ts';
import { runHooks } from './hooks.ts';
import { type ContainerState, document } from './state.ts';

/** @throws state.status where it is not created; what kept the program from running. */
export async function start(runtime: Runtime, id: string): Promise<void> {
  const { states } = runtime;
  const state = states.read(id);
  const status = states.status(state);
  if (status !== 'created') throw wrongStatus(id, status, 'started', 'created');
  if (!readSpec(states.config(id), `${id}/config.json`).process?.args?.length) {
    throw new StackError('config.value', {
      message: `The config.json of ${id} has no process: there is nothing to start.`,
      hint: 'Add process.args to it, and create the container again.',
      resource: 'process.args',
    });
  }
  const directory = states.directory(id);
  const handle = openSync(directory, 'r');
  let socket: Fd;
  try {
    socket = runtime.kernel.process.connect(handle, 'start');
  } catch (cause) {
    throw notCreated(runtime, state, cause);
  } finally {
    closeSync(handle);
  }
  // One order only: whoever comes later finds it no longer created.
  rmSync(join(directory, 'start'), { force: true });
  await order(runtime, state, socket);
  await afterStart(runtime, state);
}

/** Gives the order and hears of everything that goes wrong until the program runs. */
async function order(runtime: Runtime, state: ContainerState, fd: Fd): Promise<void> {
  const socket = new Socket({ fd, readable: true, writable: true });
  const chunks: Buffer[] = [];
  const refused = await new Promise<Error | undefined>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', resolve);
    socket.on('close', () => resolve(undefined));
    socket.write(Uint8Array.of(0));
  });
  const said = Buffer.concat(chunks);
  for (let at = 0; at + reportSize <= said.length; at += reportSize) {
    const report = readReport(said, at);
    if (isFailure(report)) {
      throw await cleanUpAfter(setUpError(state.id, report.failure), () => killProcess(runtime, state));
    }
    runtime.warn(warningText(report.failure));
  }
  // The process takes one order, and closes its socket: the others' connections are reset.
  if (refused) throw notCreated(runtime, state, refused);
}

/** poststart hooks; where one fails, the container is stopped and destroyed. */
export async function afterStart(runtime: Runtime, state: ContainerState): Promise<void> {
  try {
    await runHooks(runtime.kernel.process, 'poststart', state.hooks.poststart, document(state, 'running'));
  } catch (error) {
    throw await destroyAfter(error, runtime, state);
  }
}

/** Another `start` was faster, or it has ended. */
function notCreated({ states }: Runtime, state: ContainerState, cause: unknown): StackError {
  const now = states.status(state);
  return wrongStatus(state.id, now === 'created' ? 'being started' : now, 'started', 'created', cause);
}

/** What callers of runc look for, to tell a container that has ended from a failure. */
const callersWords = (is: string, asked: string): string => {
  if (asked === 'killed' && is === 'stopped') return 'container not running: ';
  if (asked === 'entered' && (is === 'stopped' || is === 'paused')) return `cannot exec in a ${is} container: `;
  return '';
};

export function wrongStatus(id: string, is: string, asked: string, wanted: string, cause?: unknown): StackError {
  const words = callersWords(is, asked);
  return new StackError('state.status', {
    message: `${words || 'The container '}${id} is ${is}; only one that is ${wanted} can be ${asked}.`,
    hint: `stack-runtime state ${id} tells what it is.`,
    resource: `container ${id}`,
    cause,
  });
}
