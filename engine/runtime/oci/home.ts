/** HOME of a process whose configuration names none: its user's directory in the root's /etc/passwd, as runc gives it. */
import { closeSync, constants, openSync } from 'node:fs';
import type { Fd, KernelPort } from '../../../schemas/kernel.ts';
import type { Process } from '../../../schemas/oci-runtime.ts';
import { readRootFile } from '../root-file.ts';

/** process.env, with HOME. @param root the container's root directory. */
export function withHome(kernel: KernelPort, process: Process, root: string): string[] {
  const env = process.env ?? [];
  if (env.some((entry) => entry.startsWith('HOME='))) return env;
  let directory: Fd | undefined;
  let home: string | undefined;
  try {
    directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    home = homeOf(readRootFile(kernel, directory, 'etc/passwd')?.text ?? '', process.user?.uid ?? 0);
  } catch {
    // Without the file nobody has a home.
  } finally {
    if (directory !== undefined) closeSync(directory);
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
