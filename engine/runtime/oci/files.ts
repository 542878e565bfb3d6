/** Descriptors of the caller that a container is given: its streams, and those it keeps from 3 on. */
import { fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
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
  for (let fd = 3; fd < 3 + count; fd++) {
    files.push(isInherited(fd) ? fds.length : none);
    if (isInherited(fd)) fds.push(fd);
  }
  const names = environment.LISTEN_FDNAMES;
  const told = listening > 0 ? [`LISTEN_FDS=${listening}`, 'LISTEN_PID=1'] : [];
  if (listening > 0 && names) told.push(`LISTEN_FDNAMES=${names}`);
  return { fds, stdio, files, env: [...(process.env ?? []), ...told] };
}

/** No descriptor: its number stays free in the container. */
const none = 0xffff_ffff;

/**
 * Handed over by the caller. What this process opened itself is closed by an exec (O_CLOEXEC); so is what it inherited on
 * the low numbers, which Node marks when it starts (uv_disable_stdio_inheritance): there what it is tells it from Node's own.
 */
function isInherited(fd: Fd): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & 0o2000000) === 0 || !isOfNode(readlinkSync(`/proc/self/fd/${fd}`));
  } catch {
    return false;
  }
}

/** Event loops, and pipes of which it has both ends. */
function isOfNode(link: string): boolean {
  if (/^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/.test(link)) return true;
  return link.startsWith('pipe:') && readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === link).length > 1;
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

function isOpen(fd: Fd): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
