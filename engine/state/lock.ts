/** One command at a time changes a stack: flock(2) on a file of its own, which the kernel lets go with the process. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import { interruptedExitCode } from '../../schemas/signals.ts';
import type { Host } from '../host.ts';

export interface LockRequest {
  stack: string;
  /** What those who wait are told: `stack up`. */
  command: string;
  emit: Emit;
  signal?: AbortSignal | undefined;
}

/**
 * Takes the stack's lock. Where another command holds it, says so by a `waiting` event and waits in the kernel, for as
 * long as it takes. Throws `plan.interrupted` after the signal. Disposing gives it back.
 */
export async function lockStack(
  { kernel, layout }: Pick<Host, 'kernel' | 'layout'>,
  { stack, command, emit, signal }: LockRequest,
): Promise<Disposable> {
  const path = layout.lock(stack);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fd = openSync(path, 'a+', 0o600);
  try {
    if (!kernel.filesystem.tryFlock(fd, 'exclusive')) {
      const holder = readFileSync(path, 'utf8').trim();
      emit({ type: 'waiting', resource: `stack ${stack}`, because: `${holder || 'another command'} works on it` });
      await orInterrupted(kernel.filesystem.flock(fd, 'exclusive', true), stack, signal);
    }
    ftruncateSync(fd, 0);
    writeSync(fd, `${command} (process ${process.pid})\n`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let isHeld = true;
  return {
    [Symbol.dispose]() {
      if (isHeld) closeSync(fd);
      isHeld = false;
    },
  };
}

/** The lock where nobody has it, for a look that must not see a command's work half done; undefined where somebody has. */
export function lockIfFree({ kernel, layout }: Pick<Host, 'kernel' | 'layout'>, stack: string): Disposable | undefined {
  let fd: number;
  try {
    // Only read: a look leaves no file behind.
    fd = openSync(layout.lock(stack), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { [Symbol.dispose]() {} };
  }
  if (kernel.filesystem.tryFlock(fd, 'exclusive')) return { [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  return undefined;
}

/** A wait that was given up may still be granted: the kernel's wait then holds the lock until this process ends. */
function orInterrupted<T>(work: Promise<T>, stack: string, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const interrupt = () => {
      reject(
        new StackError('plan.interrupted', {
          message: `Interrupted while waiting for the other command that works on the stack ${stack}: nothing was done.`,
          exitCode: interruptedExitCode(signal),
        }),
      );
    };
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', interrupt));
  });
}
