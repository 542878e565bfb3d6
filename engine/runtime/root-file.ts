/** Files of a container's root that this process reads itself: the container, or its image, put there what it likes. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Fd, KernelPort } from '../../schemas/kernel.ts';

/** linux/openat2.h, fcntl.h. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** Bytes that are read of a file at most. */
export const largestRootFile = 1024 * 1024;

export interface RootFile {
  /** Its first {@link largestRootFile} bytes. */
  text: string;
  isWhole: boolean;
}

/**
 * A regular file below `root`, symbolic links followed as a process with that root follows them; null where there is none.
 * What is no regular file is never opened: to open a fifo or a device may wait, or do something.
 * @throws what openat2(2) fails with, other than ENOENT, ENOTDIR and ELOOP.
 */
export function readRootFile({ filesystem }: KernelPort, root: Fd, path: string): RootFile | null {
  let place: Fd;
  try {
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    place = filesystem.openat2(root, path, { flags: O_PATH | O_CLOEXEC, resolve });
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return null;
    throw thrown;
  }
  let file: Fd | undefined;
  try {
    if (!fstatSync(place).isFile()) return null;
    // The very file that was looked at, whatever its path leads to by now.
    file = openSync(`/proc/self/fd/${place}`, 'r');
    return readStart(file);
  } finally {
    for (const fd of [place, file]) if (fd !== undefined) closeSync(fd);
  }
}

/** Up to its end, whatever size it says of itself: it may grow meanwhile. */
function readStart(file: Fd): RootFile {
  const bytes = Buffer.allocUnsafe(largestRootFile + 1);
  let length = 0;
  for (let count = 1; count > 0 && length < bytes.length; length += count) {
    count = readSync(file, bytes, length, bytes.length - length, null);
  }
  return { text: bytes.toString('utf8', 0, Math.min(length, largestRootFile)), isWhole: length < bytes.length };
}
