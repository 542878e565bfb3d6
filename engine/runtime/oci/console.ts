/** The receiver of a terminal: `--console-socket`, as runc's callers listen at it. */
import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd, ProcessVerbs } from '../../../schemas/kernel.ts';

/** Sends the master of a terminal to whoever listens at `path`, and closes it. @throws usage */
export function sendTerminal(verbs: ProcessVerbs, path: string, terminal: Fd): void {
  let directory: Fd | undefined;
  let socket: Fd | undefined;
  try {
    directory = openSync(dirname(path), 'r');
    socket = verbs.connect(directory, basename(path));
    verbs.send(socket, Buffer.from('/dev/ptmx'), [terminal]);
  } catch (cause) {
    throw new StackError('usage', {
      message: `The terminal cannot be sent to --console-socket ${path}: ${(cause as Error).message}.`,
      hint: 'It is a unix stream socket that the caller listens at.',
      cause,
    });
  } finally {
    for (const fd of [terminal, directory, socket]) if (fd !== undefined) closeSync(fd);
  }
}

/** @throws usage where a terminal and what takes it do not fit. */
export function checkConsole(hasTerminal: boolean, socket: string | undefined, isDetached: boolean): void {
  if (hasTerminal && isDetached && !socket) {
    throw new StackError('usage', {
      message: 'process.terminal is true, and nobody takes the terminal of a detached container.',
      hint: 'Name a socket with --console-socket, or set process.terminal to false.',
    });
  }
  if (socket && !hasTerminal) {
    throw new StackError('usage', {
      message: '--console-socket is given, and process.terminal is false.',
      hint: 'Set process.terminal to true, or leave --console-socket out.',
    });
  }
  if (socket && !isDetached) {
    throw new StackError('usage', {
      message: '--console-socket is given, and the command is not detached.',
      hint: 'Add --detach: without it the terminal is the caller’s own.',
    });
  }
}
