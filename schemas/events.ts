/** What the engine reports while it works; `--progress json` prints one such object a line. */
import type { StackError } from './errors.ts';
import type { OperationKind } from './plan.ts';

/** What is under way: an operation of a plan, or what a command does without one. */
export type EventKind =
  | OperationKind
  | 'image.load'
  | 'image.push'
  | 'image.remove'
  | 'container.kill'
  | 'container.pause'
  | 'container.copy'
  | 'container.commit'
  | 'container.unpause'
  | 'provider.up'
  | 'provider.down'
  | 'provider.stop';

export interface ToldOperation {
  id: string;
  kind: EventKind;
  resource: string;
  cause: string;
}

export type EngineEvent =
  | { type: 'plan'; stack: string; operations: ToldOperation[] }
  /** In place of all others with `--dry-run`: what would be done. */
  | { type: 'dry-run'; stack: string; operations: ToldOperation[] }
  | { type: 'started'; id: string; kind: EventKind; resource: string }
  | { type: 'progress'; id: string; resource: string; detail: string; current?: number; total?: number }
  | { type: 'done'; id: string; kind: EventKind; resource: string; ms: number; detail?: string }
  | { type: 'failed'; id: string; kind: EventKind; resource: string; ms: number; error: StackError }
  | { type: 'skipped'; id: string; kind: EventKind; resource: string; because: string }
  | { type: 'undone'; id: string; kind: EventKind; resource: string }
  /** Waits for another command that holds the stack's lock. */
  | { type: 'waiting'; resource: string; because: string }
  /** What `stack watch` did, and the files that were why: paths relative to the project directory, the first few. */
  | { type: 'watch'; service: string; action: string; paths: string[]; count: number; ms: number }
  /** Closes a run that did anything: why it took as long as it did. */
  | ({ type: 'timings' } & Timings)
  | { type: 'warning'; error: StackError };

/** One operation of the longest chain of a run. Milliseconds. */
export interface TimedStep {
  id: string;
  kind: OperationKind;
  resource: string;
  /** Since the run began. */
  beganMs: number;
  ms: number;
  /** Id of the operation whose end let this one begin; absent: it waited for nothing. */
  waitedFor?: string;
}

export interface Timings {
  /** From the plan to the end of the last operation. */
  totalMs: number;
  /** All operations that ran, and how long they took taken together. */
  operations: number;
  workMs: number;
  /** Each begins with the end of the one before it, the last one ends the run: a run is shorter only if one of these is. */
  criticalPath: TimedStep[];
}

export type Emit = (event: EngineEvent) => void;
