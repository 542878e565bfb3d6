/** `--timings`: why a run took as long as it did. */
import type { TimedStep, Timings } from '../../schemas/events.ts';
import { seconds } from './words.ts';

/**
 * The steps that each waited for the one before, and what they waited for:
 *
 *     Timings: 1.3s in all, 2.1s of work in 8 operations. What took longest, each step waiting for the one before:
 *       at 0ms    1.2s  pull image redis:7
 *       at 1.2s   40ms  create container demo-db-1
 */
export function timingsText({ totalMs, workMs, operations, criticalPath }: Timings): string {
  if (criticalPath.length === 0) return '';
  const count = `${operations} operation${operations === 1 ? '' : 's'}`;
  const rows = criticalPath.map(({ id, ms, beganMs }) => [`at ${seconds(beganMs)}`, seconds(ms), id] as const);
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const [at, took] = [width(0), width(1)];
  const lines = rows.map((row, index) => {
    const pause = gap(criticalPath[index - 1], criticalPath[index]!);
    return `  ${row[0].padEnd(at)}  ${row[1].padStart(took)}  ${row[2]}${pause}\n`;
  });
  const head = `Timings: ${seconds(totalMs)} in all, ${seconds(workMs)} of work in ${count}.`;
  return `${head} What took longest, each step waiting for the one before:\n${lines.join('')}`;
}

/** A step that could have begun and did not: the limit of --parallel, or this process was busy. */
function gap(before: TimedStep | undefined, { beganMs }: TimedStep): string {
  const ms = before ? beganMs - before.beganMs - before.ms : 0;
  return ms < 5 ? '' : `  (begun ${seconds(ms)} late)`;
}
