/**
 * Logs of several containers as one stream, in order of time.
 *
 * A container's log is the file `log` in its directory (engine/state/layout), written by the container's monitor in the
 * CRI format and rotated to `log.1`, `log.2`, …
 */
import { LogFollower } from './follow.ts';
import type { LogLine } from './line.ts';
import { type LogRange, readLog } from './read.ts';

export type { LogLine } from './line.ts';
export type { LogRange } from './read.ts';
export { readLog } from './read.ts';
export { parseTime } from './time.ts';

/** Whose log: `id` is the container's, `directory` its directory. */
export interface LogSource {
  id: string;
  directory: string;
}

/** The lines of several logs, oldest first. `tail` counts for each container. */
export function* readLogs<Source extends LogSource>(
  sources: Source[],
  range: LogRange,
): Generator<{ source: Source; line: LogLine }> {
  yield* merge(sources.map((source) => ({ source, lines: readLog(source.directory, range) })));
}

function* merge<Source>(
  inputs: { source: Source; lines: Iterator<LogLine> }[],
): Generator<{ source: Source; line: LogLine }> {
  const heads = inputs.flatMap(({ source, lines }) => {
    const first = lines.next();
    return first.done ? [] : [{ source, lines, line: first.value }];
  });
  while (heads.length > 0) {
    let oldest = heads[0] as (typeof heads)[number];
    for (const head of heads) if (head.line.time < oldest.line.time) oldest = head;
    yield { source: oldest.source, line: oldest.line };
    const next = oldest.lines.next();
    if (next.done) heads.splice(heads.indexOf(oldest), 1);
    else oldest.line = next.value;
  }
}

/** Follows the logs of containers that come and go. */
export class LogsFollower<Source extends LogSource> implements Disposable {
  private readonly followers = new Map<string, LogFollower>();
  private readonly onLine: (source: Source, line: LogLine) => void;

  constructor(onLine: (source: Source, line: LogLine) => void) {
    this.onLine = onLine;
  }

  /** Hands over what is there, in order of time over all of `sources`, and then each line as it is written. */
  add(sources: Source[], range: LogRange = {}): void {
    const fresh = sources.filter((source) => !this.followers.has(source.id));
    const inputs = fresh.map((source) => {
      const follower = new LogFollower(source.directory, range, (line) => this.onLine(source, line));
      this.followers.set(source.id, follower);
      return { source, lines: follower.history() };
    });
    for (const { source, line } of merge(inputs)) this.onLine(source, line);
    for (const { id } of fresh) this.followers.get(id)?.start();
  }

  has(id: string): boolean {
    return this.followers.has(id);
  }

  /** The container ended: hands over the rest of its log. Goes on following, since it may be started again. */
  drain(id: string): void {
    const follower = this.followers.get(id);
    follower?.read();
    follower?.flush();
  }

  /** The container is gone: hands over the rest of its log. */
  end(id: string): void {
    this.drain(id);
    this.followers.get(id)?.[Symbol.dispose]();
    this.followers.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.followers.keys()]) this.end(id);
  }
}
