/** Why a run took as long as it did: the chain of operations that ended it. */
import type { TimedStep, Timings } from '../../schemas/events.ts';
import type { Course, Span } from './schedule.ts';

/** From the operation that ended last back to one that waited for nothing. */
export function timingsOf({ spans }: Course): Timings {
  const byId = new Map(spans.map((span) => [span.operation.id, span]));
  const path: TimedStep[] = [];
  let workMs = 0;
  for (const { begun, ended } of spans) workMs += ended - begun;
  for (let span = spans.at(-1); span; span = span.after && byId.get(span.after.id)) path.push(stepOf(span));
  return {
    totalMs: rounded(spans.at(-1)?.ended ?? 0),
    operations: spans.length,
    workMs: rounded(workMs),
    criticalPath: path.reverse(),
  };
}

function stepOf({ operation, begun, ended, after }: Span): TimedStep {
  const { id, kind, resource } = operation;
  const ms = { beganMs: rounded(begun), ms: rounded(ended - begun) };
  return { id, kind, resource, ...ms, ...(after ? { waitedFor: after.id } : {}) };
}

/** To a tenth: what is shorter is noise. */
const rounded = (ms: number): number => Math.round(ms * 10) / 10;
