/** HOME of a process whose configuration names none: its user's directory in the root's /etc/passwd, as runc gives it. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import type { Fd, KernelPort } from '../../../schemas/kernel.ts';
import type { Process } from '../../../schemas/oci-runtime.ts';

/** RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS of openat2(2): the root is the container's, and may hold any symlink. */
const inRoot = 0x10 | 0x02;
const largest = 1 << 20;

/** process.env, with HOME. @param root the container's root directory. */
export function withHome({ filesystem }: KernelPort, process: Process, root: string): string[] {
  const env = process.env ?? [];
  if (env.some((entry) => entry.startsWith('HOME='))) return env;
  let directory: Fd | undefined;
  let file: Fd | undefined;
  let home: string | undefined;
  try {
    directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    // O_NONBLOCK: a fifo in its place must not hold this process up.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | 0o2000000;
    file = filesystem.openat2(directory, '/etc/passwd', { flags, resolve: inRoot });
    home = homeOf(readFileSync(file).subarray(0, largest).toString(), process.user?.uid ?? 0);
  } catch {
    // Without the file nobody has a home.
  } finally {
    for (const fd of [directory, file]) if (fd !== undefined) closeSync(fd);
  }
  return [...env, `HOME=${home ?? '/'}`];
}

/** The sixth field of the user's line (passwd(5)). */
export function homeOf(passwd: string, uid: number): string | undefined {
  for (const line of passwd.split('\n')) {
    const fields = line.split(':');
    if (fields[2] === String(uid) && fields[5]?.startsWith('/')) return fields[5];
  }
  return undefined;
}
