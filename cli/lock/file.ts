/** `stack.lock` beside the first stack file: found, read, written. */
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Loaded } from '../../planner/load/load.ts';
import { lockSizeLimit, lockText, readLock } from '../../planner/lock/lock.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Lock } from '../../schemas/lock.ts';

/** Of a stack file on standard input: in the project directory. */
export function lockPath({ files, projectDirectory }: Pick<Loaded, 'files' | 'projectDirectory'>): string {
  const first = files.find((file) => file.startsWith('/'));
  return join(first === undefined ? projectDirectory : dirname(first), 'stack.lock');
}

/** Undefined where there is none. @throws StackError lock.invalid */
export function findLock(path: string): Lock | undefined {
  let fd: number;
  try {
    // It may come from a stranger's repository: a pipe of that name is not waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, (thrown as NodeJS.ErrnoException).code ?? 'unknown');
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unreadable(path, 'it is no file');
    if (stat.size > lockSizeLimit) throw unreadable(path, `it is larger than ${lockSizeLimit} bytes`);
    return readLock(readFileSync(fd, 'utf8'), path);
  } finally {
    closeSync(fd);
  }
}

/** @throws StackError lock.not-found, lock.invalid */
export function requireLock(path: string): Lock {
  const lock = findLock(path);
  if (lock) return lock;
  throw new StackError('lock.not-found', {
    message: `There is no ${path}.`,
    hint: 'Make it with `stack lock`, and keep it in version control.',
  });
}

/** Entered by rename: a reader sees the old lock or the new one. Answers whether anything was written. */
export function saveLock(path: string, lock: Lock): boolean {
  const text = lockText(lock);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    if (currentText(path) === text) return false;
    writeFileSync(temporary, text, { flag: 'wx', flush: true });
    renameSync(temporary, path);
    return true;
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw asStackError(thrown, 'lock.invalid', {
      message: `${path} cannot be written: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: 'The lock lies beside the stack file: make that folder writable.',
    });
  }
}

function currentText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const unreadable = (path: string, why: string) =>
  new StackError('lock.invalid', {
    message: `The lock ${path} cannot be read: ${why}.`,
    hint: 'Take it from version control again, or remove it and run `stack lock`.',
  });
