/** Runs operations as soon as what they need is done: everything independent at once, in time linear in operations and needs. */
import type { Operation } from '../../schemas/plan.ts';

export interface Failure {
  operation: Operation;
  error: unknown;
}

/** When an operation ran, in milliseconds since the schedule began, and the one that held it up longest. */
export interface Span {
  operation: Operation;
  begun: number;
  ended: number;
  /** Absent: it waited for nothing. */
  after?: Operation;
}

export interface Course {
  /** Ids of what was done. */
  done: Set<string>;
  /** In the order they happened. */
  failures: Failure[];
  /** What was not begun. */
  skipped: Operation[];
  /** In the order they ended. */
  spans: Span[];
}

/** Some operations wait until all of some others are done: one need instead of an edge for every pair. */
export interface Gate {
  isAwaited: (operation: Operation) => boolean;
  isHeld: (operation: Operation) => boolean;
}

/** How many operations run at once at most. Those that only wait are not counted: they take nothing of the machine. */
export interface Limit {
  /** A whole number above 0. */
  atOnce: number;
  isCounted: (operation: Operation) => boolean;
}

export interface Scheduling {
  signal: AbortSignal;
  onFailure: (failure: Failure) => void;
  gate?: Gate;
  limit?: Limit | undefined;
}

/** Stands for all that the gate awaits. No operation's id: those have words in them. */
const gateId = '';

/**
 * `perform` answers when the operation is done. Once `signal` is aborted nothing new begins; the call answers when all
 * that had begun has ended. Needs that are not among the operations count as met. What is ready and one too many begins
 * later, in the order it became ready.
 */
export async function schedule(
  operations: Operation[],
  perform: (operation: Operation) => Promise<void>,
  { signal, onFailure, gate, limit }: Scheduling,
): Promise<Course> {
  const course: Course = { done: new Set(), failures: [], skipped: [], spans: [] };
  const { missing, waiting, awaited } = countNeeds(operations, gate);
  const began = performance.now();
  const begun = new Set<Operation>();
  const queue: { operation: Operation; after: Operation | undefined }[] = [];
  let next = 0;
  await new Promise<void>((resolve) => {
    let running = 0;
    let counted = 0;
    const readyAfter = (id: string) =>
      (waiting.get(id) ?? []).filter((dependent) => {
        const left = missing.get(dependent)! - 1;
        missing.set(dependent, left);
        return left === 0;
      });
    const begin = (operation: Operation, after: Operation | undefined) => {
      const isCounted = limit?.isCounted(operation) ?? false;
      const span = { operation, begun: performance.now() - began, ...(after ? { after } : {}) };
      begun.add(operation);
      running++;
      if (isCounted) counted++;
      const ended = (ready: Operation[]) => {
        course.spans.push({ ...span, ended: performance.now() - began });
        if (isCounted) counted--;
        end(ready, operation);
      };
      perform(operation).then(
        () => {
          course.done.add(operation.id);
          const opened = awaited.delete(operation) && awaited.size === 0 ? readyAfter(gateId) : [];
          ended([...readyAfter(operation.id), ...opened]);
        },
        (error: unknown) => {
          const failure = { operation, error };
          course.failures.push(failure);
          onFailure(failure);
          ended([]);
        },
      );
    };
    const end = (ready: Operation[], after?: Operation) => {
      const fresh = queue.length;
      for (const operation of ready) {
        if (limit?.isCounted(operation)) queue.push({ operation, after });
        else if (!signal.aborted) begin(operation, after);
      }
      while (next < queue.length && counted < limit!.atOnce && !signal.aborted) {
        const one = queue[next]!;
        // One that had to queue was held up by whatever has just ended.
        begin(one.operation, next++ >= fresh ? one.after : after);
      }
      if (--running === 0) resolve();
    };
    running++;
    end(operations.filter((operation) => missing.get(operation) === 0));
  });
  course.skipped = operations.filter((operation) => !begun.has(operation));
  return course;
}

function countNeeds(operations: Operation[], gate: Gate | undefined) {
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
  return { missing, waiting, awaited };
}
