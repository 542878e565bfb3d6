/** Locks by flock(2), which go with the process that holds them, and temporary places that a lock keeps alive. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { removeTree } from './remove-tree.ts';

const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR } = fs.constants;

function open(path: string, flags: number): { fd: Fd } & Disposable {
  const fd = fs.openSync(path, flags | O_NOFOLLOW, 0o644);
  return { fd, [Symbol.dispose]: () => fs.closeSync(fd) };
}

/** Takes the lock on the file `path`; waits for it, or until the signal. @throws StackError `plan.interrupted` */
export async function lock(
  verbs: FilesystemVerbs,
  path: string,
  kind: 'shared' | 'exclusive',
  signal?: AbortSignal,
): Promise<{ fd: Fd } & Disposable> {
  if (signal?.aborted) throw interruption('Waiting for another pull');
  const file = open(path, O_RDWR | O_CREAT);
  const interrupted = Promise.withResolvers<never>();
  const onAbort = () => interrupted.reject(interruption('Waiting for another pull'));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    // A wait given up ends later: the waiting thread has a descriptor of its own, which it closes itself.
    await Promise.race([verbs.flock(file.fd, kind, true), interrupted.promise]);
  } catch (thrown) {
    file[Symbol.dispose]();
    throw thrown;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  return file;
}

/** Same without waiting: null where somebody holds it. */
export function tryLock(verbs: FilesystemVerbs, path: string, kind: 'shared' | 'exclusive'): Disposable | null {
  const file = open(path, O_RDWR | O_CREAT);
  if (verbs.tryFlock(file.fd, kind)) return file;
  file[Symbol.dispose]();
  return null;
}

/**
 * Makes something temporary at `path` and locks it, so that the sweep of another run leaves it alone. A sweep between the two
 * takes it away: then it is made again.
 */
export function makeLocked(verbs: FilesystemVerbs, path: string, make: () => Fd): Fd {
  for (;;) {
    let fd: Fd;
    try {
      fd = make();
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT' && fs.existsSync(dirname(path))) continue;
      throw thrown;
    }
    const isOurs = verbs.tryFlock(fd, 'exclusive');
    const now = fs.statSync(path, { throwIfNoEntry: false });
    if (isOurs && now?.ino === fs.fstatSync(fd).ino) return fd;
    fs.closeSync(fd);
    fs.rmSync(path, { recursive: true, force: true });
  }
}

/** Removes temporary entries of `dir` that nobody holds locked any more: their makers were killed. */
export function sweep(verbs: FilesystemVerbs, dir: string, isTemporary: (name: string) => boolean): void {
  using parent = open(dir, O_RDONLY);
  for (const name of fs.readdirSync(dir)) {
    if (!isTemporary(name)) continue;
    try {
      using entry = open(join(dir, name), O_RDONLY);
      if (verbs.tryFlock(entry.fd, 'exclusive')) removeTree(verbs, parent.fd, name);
    } catch {
      // Its owner finished or removed it in between.
    }
  }
}

/** What is thrown where a signal ends some work. */
export function interruption(what: string): StackError {
  return new StackError('plan.interrupted', { message: `${what} was interrupted.`, exitCode: 130 });
}
