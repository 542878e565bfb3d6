/** What a check is, and the machine it looks at: files and the kernel port, so that a test can hand in another. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import type { KernelPort } from '../../schemas/kernel.ts';
import { type Layout, layout } from '../state/layout.ts';

/** `warn`: something will not work, or not as well. `fail`: no container will run. */
export type CheckStatus = 'ok' | 'warn' | 'fail';

export interface Check {
  /** Permanent: scripts may match on it. */
  id: string;
  title: string;
  status: CheckStatus;
  /** What was found, in a few words. */
  found: string;
  /** What to do about it. */
  advice?: string;
}

export interface Machine {
  /** `6.1.0-56-cloud-amd64` */
  release: string;
  layout: Layout;
  /** The kernel's verbs; undefined where they cannot be used: no root rights, or not built. */
  kernel: KernelPort | undefined;
  /** Content of a file, undefined where it cannot be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  /** Names in a directory; empty where there is none. */
  list(path: string): string[];
  /** Not so on a read-only file system, for root either. */
  isWritable(path: string): boolean;
  /** Of the file system a path lies on: its magic number (statfs(2)), bytes and inodes. */
  space(path: string): { type: number; free: number; size: number; freeInodes: number; inodes: number };
}

export function thisMachine(kernel: KernelPort | undefined, environment: NodeJS.ProcessEnv): Machine {
  const or = <T>(work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch {
      return otherwise;
    }
  };
  return {
    release: release(),
    layout: layout(environment),
    kernel,
    read: (path) => or(() => readFileSync(path, 'utf8'), undefined),
    exists: existsSync,
    list: (path) => or(() => readdirSync(path), []),
    isWritable: (path) => or(() => accessSync(path, constants.W_OK) === undefined, false),
    space(path) {
      const { type, bavail, blocks, bsize, ffree, files } = statfsSync(path);
      return { type, free: bavail * bsize, size: blocks * bsize, freeInodes: ffree, inodes: files };
    },
  };
}

/** `check('kernel.x', 'X')` answers with what the three results have in common. */
export function check(id: string, title: string) {
  const make =
    (status: CheckStatus) =>
    (found: string, advice?: string): Check => ({ id, title, status, found, ...(advice ? { advice } : {}) });
  return { ok: make('ok'), warn: make('warn'), fail: make('fail') };
}

/** Whether a release is `major.minor` or later. */
export function isAtLeast(text: string, major: number, minor: number): boolean {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}
