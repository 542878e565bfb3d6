/** Runs operations as soon as what they need is done: everything independent at once, in time linear in operations and needs. */
import type { Operation } from '../../schemas/plan.ts';

export interface Failure {
  operation: Operation;
  error: unknown;
}

export interface Course {
  /** Ids of what was done. */
  done: Set<string>;
  /** In the order they happened. */
  failures: Failure[];
  /** What was not begun. */
  skipped: Operation[];
}

/** Some operations wait until all of some others are done: one need instead of an edge for every pair. */
export interface Gate {
  isAwaited: (operation: Operation) => boolean;
  isHeld: (operation: Operation) => boolean;
}

export interface Scheduling {
  signal: AbortSignal;
  onFailure: (failure: Failure) => void;
  gate?: Gate;
}

/** Stands for all that the gate awaits. No operation's id: those have words in them. */
const gateId = '';

/**
 * `perform` answers when the operation is done. Once `signal` is aborted nothing new begins; the call answers when all
 * that had begun has ended. Needs that are not among the operations count as met.
 */
export async function schedule(
  operations: Operation[],
  perform: (operation: Operation) => Promise<void>,
  { signal, onFailure, gate }: Scheduling,
): Promise<Course> {
  const course: Course = { done: new Set(), failures: [], skipped: [] };
  const known = new Set(operations.map(({ id }) => id));
  const missing = new Map<Operation, number>();
  const waiting = new Map<string, Operation[]>();
  const awaited = new Set(gate ? operations.filter(gate.isAwaited) : []);
  for (const operation of operations) {
    const needs = operation.needs.filter((need) => known.has(need));
    if (awaited.size > 0 && gate!.isHeld(operation)) needs.push(gateId);
    missing.set(operation, needs.length);
    for (const need of needs) {
      const list = waiting.get(need);
      if (list) list.push(operation);
      else waiting.set(need, [operation]);
    }
  }
  const begun = new Set<Operation>();
  await new Promise<void>((resolve) => {
    let running = 0;
    const readyAfter = (id: string) =>
      (waiting.get(id) ?? []).filter((next) => {
        const left = missing.get(next)! - 1;
        missing.set(next, left);
        return left === 0;
      });
    const begin = (operation: Operation) => {
      if (signal.aborted) return;
      begun.add(operation);
      running++;
      perform(operation).then(
        () => {
          course.done.add(operation.id);
          const opened = awaited.delete(operation) && awaited.size === 0 ? readyAfter(gateId) : [];
          end([...readyAfter(operation.id), ...opened]);
        },
        (error: unknown) => {
          const failure = { operation, error };
          course.failures.push(failure);
          onFailure(failure);
          end([]);
        },
      );
    };
    const end = (ready: Operation[]) => {
      ready.forEach(begin);
      if (--running === 0) resolve();
    };
    running++;
    end(operations.filter((operation) => missing.get(operation) === 0));
  });
  course.skipped = operations.filter((operation) => !begun.has(operation));
  return course;
}
