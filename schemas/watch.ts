/** The rules of `develop.watch` with everything resolved. Source: compose-spec develop.md. */
import type { ServiceHook } from './project.ts';

export type WatchAction = 'sync' | 'sync+exec' | 'restart' | 'sync+restart' | 'rebuild';

/** Lines of an ignore file and the absolute directory they are relative to. */
export interface PathPatterns {
  base: string;
  lines: string[];
}

/** Which paths of the machine belong to a rule. */
export interface WatchedPaths {
  /** Absolute: a directory with all below it, or a file. */
  path: string;
  ignore: PathPatterns[];
  /** Relative to `path`; absent: everything. */
  include?: string[];
}

/** Files of the machine that a container has too. */
export interface SyncedPaths extends WatchedPaths {
  /** Absolute, in the container: what `path` is there. */
  target: string;
}

export interface WatchRule extends WatchedPaths {
  service: string;
  /** Position in the service's list, from 0. */
  index: number;
  action: WatchAction;
  /** Where the action copies; absent for the others, and where a bind mount brings the files already. */
  target?: string;
  exec?: ServiceHook;
  /** The container is compared with the files when the watch begins. */
  hasInitialSync: boolean;
}

export interface WatchChange {
  /** Absolute. */
  path: string;
  type: 'add' | 'change' | 'remove';
  isDirectory: boolean;
  /** It came and went without being looked at: nothing follows from it, but no copy may be left. */
  isTransient?: true;
}
