/** Descriptors of the caller that a container is given: its streams, and those it keeps from 3 on. */
import { fstatSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd } from '../../../schemas/kernel.ts';
import type { Process } from '../../../schemas/oci-runtime.ts';

export interface GivenFiles {
  /** For the shim, in this order. */
  fds: Fd[];
  stdio: [number, number, number];
  /** Indexes in `fds` of what the command gets from 3 on. */
  files: number[];
  /** process.env, with what tells a program of the sockets it was handed (sd_listen_fds(3)). */
  env: string[];
}

/** @param preserved of `--preserve-fds`; what LISTEN_FDS counts comes before them. @throws usage */
export function givenFiles(process: Process, preserved: number, environment: NodeJS.ProcessEnv): GivenFiles {
  const listening = Number(environment.LISTEN_FDS ?? 0) || 0;
  const count = listening + preserved;
  const fds: Fd[] = process.terminal ? [] : [0, 1, 2].filter(isOpen);
  const at = (fd: Fd) => fds.indexOf(fd);
  const stdio: [number, number, number] = [at(0), at(1), at(2)];
  const files: number[] = [];
  for (let fd = 3; fd < 3 + count; fd++) {
    if (!isOpen(fd)) {
      throw new StackError('usage', {
        message: `Descriptor ${fd} is to be kept for the container, and is not open.`,
        hint: 'Open it before, or lower --preserve-fds.',
      });
    }
    files.push(fds.length);
    fds.push(fd);
  }
  const names = environment.LISTEN_FDNAMES;
  const told = listening > 0 ? [`LISTEN_FDS=${listening}`, 'LISTEN_PID=1'] : [];
  if (listening > 0 && names) told.push(`LISTEN_FDNAMES=${names}`);
  return { fds, stdio, files, env: [...(process.env ?? []), ...told] };
}

function isOpen(fd: Fd): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
