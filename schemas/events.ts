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
  | 'provider.up'
  | 'provider.down'
  | 'provider.stop';

export type EngineEvent =
  | { type: 'plan'; stack: string; operations: { id: string; kind: EventKind; resource: string; cause: string }[] }
  | { type: 'started'; id: string; kind: EventKind; resource: string }
  | { type: 'progress'; id: string; resource: string; detail: string; current?: number; total?: number }
  | { type: 'done'; id: string; kind: EventKind; resource: string; ms: number; detail?: string }
  | { type: 'failed'; id: string; kind: EventKind; resource: string; ms: number; error: StackError }
  | { type: 'skipped'; id: string; kind: EventKind; resource: string; because: string }
  | { type: 'undone'; id: string; kind: EventKind; resource: string }
  /** Waits for another command that holds the stack's lock. */
  | { type: 'waiting'; resource: string; because: string }
  | { type: 'warning'; error: StackError };

export type Emit = (event: EngineEvent) => void;
