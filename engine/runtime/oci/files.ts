/** Descriptors of the caller that a container is given: its streams, and those it keeps from 3 on. */
import { fstatSync, readFileSync } from 'node:fs';
import type { Fd } from '../../../schemas/kernel.ts';
import type { Process } from '../../../schemas/oci-runtime.ts';

export interface GivenFiles {
  /** For the shim, in this order. */
  fds: Fd[];
  stdio: [number, number, number];
  /** Indexes in `fds` of what the command gets from 3 on; 0xffffffff leaves a number free. */
  files: number[];
  /** process.env, with what tells a program of the sockets it was handed (sd_listen_fds(3)). */
  env: string[];
}

/** @param preserved of `--preserve-fds`; what LISTEN_FDS counts comes before them. */
export function givenFiles(process: Process, preserved: number, environment: NodeJS.ProcessEnv): GivenFiles {
  const listening = Number(environment.LISTEN_FDS ?? 0) || 0;
  const count = listening + preserved;
  const fds: Fd[] = process.terminal ? [] : [0, 1, 2].filter(isOpen);
  const at = (fd: Fd) => fds.indexOf(fd);
  const stdio: [number, number, number] = [at(0), at(1), at(2)];
  const files: number[] = [];
  const known = inherited(environment.STACK_RUNTIME_FDS);
  for (let fd = 3; fd < 3 + count; fd++) {
    const isGiven = isOpen(fd) && (known ? known.has(fd) : isKept(fd));
    files.push(isGiven ? fds.length : none);
    if (isGiven) fds.push(fd);
  }
  const names = environment.LISTEN_FDNAMES;
  const told = listening > 0 ? [`LISTEN_FDS=${listening}`, 'LISTEN_PID=1'] : [];
  if (listening > 0 && names) told.push(`LISTEN_FDNAMES=${names}`);
  return { fds, stdio, files, env: [...(process.env ?? []), ...told] };
}

/** No descriptor: its number stays free in the container. */
const none = 0xffff_ffff;

/** What bin/stack-runtime found open before Node opened descriptors of its own; undefined where it was not asked. */
function inherited(list: string | undefined): Set<Fd> | undefined {
  return list === undefined ? undefined : new Set(list.split(' ').filter(Boolean).map(Number));
}

/** Without that list: whatever this process opened itself is closed by an exec (O_CLOEXEC). */
function isKept(fd: Fd): boolean {
  const [, flags = '0'] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return (Number.parseInt(flags, 8) & 0o2000000) === 0;
}

function isOpen(fd: Fd): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
