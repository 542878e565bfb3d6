/** What a container's log holds now, read from the end where only the end is wanted. */
import { closeFiles, type LogFile, linesBackwards, linesFrom, openFiles, searchLine } from './files.ts';
import { Joiner, type LogLine, type LogStream, parseRecord } from './line.ts';

export interface LogRange {
  /** Only lines written at this time or later: RFC 3339 with nine decimals in UTC (see `parseTime`). */
  since?: string | undefined;
  /** Only lines written before this time. */
  until?: string | undefined;
  /** Only the last lines of those written before `until`. */
  tail?: number | undefined;
}

/** Lines of a container's log in the order they were written. @param directory the container's directory */
export function* readLog(directory: string, range: LogRange = {}): Generator<LogLine> {
  const files = openFiles(directory);
  try {
    const joiner = new Joiner();
    yield* readFiles(files, range, joiner);
    for (const line of joiner.flush()) if (isInRange(line.time, range)) yield line;
  } finally {
    closeFiles(files);
  }
}

/**
 * Reads opened files, oldest first, and answers the offset behind the last whole line of the newest. Partial records at
 * the end stay in `joiner`, so that a follower can go on from there.
 */
export function* readFiles(files: LogFile[], range: LogRange, joiner: Joiner): Generator<LogLine, number> {
  const start = findStart(files, range);
  let { offset, skip } = start;
  for (const file of files.slice(start.index)) {
    const lines = linesFrom(file.fd, offset);
    let next = lines.next();
    for (; !next.done; next = lines.next()) {
      const record = parseRecord(next.value);
      const line = record && joiner.push(record);
      if (!line) continue;
      if (skip > 0) skip--;
      else if (isInRange(line.time, range)) yield line;
    }
    offset = file === files.at(-1) ? next.value : 0;
  }
  return offset;
}

export function isInRange(time: string, { since, until }: LogRange): boolean {
  return (since === undefined || time >= since) && (until === undefined || time < until);
}

/** File and offset to read from, and how many whole lines from there are not wanted yet. */
interface Start {
  index: number;
  offset: number;
  skip: number;
}

function findStart(files: LogFile[], range: LogRange): Start {
  const { since } = range;
  if (range.tail !== undefined) return findTail(files, range.tail, range.until);
  if (since === undefined) return { index: 0, offset: 0, skip: 0 };
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as LogFile;
    const offset = searchLine(file.fd, (line) => (parseRecord(line)?.time ?? '') >= since);
    if (offset > 0 || index === 0) return { index, offset, skip: 0 };
  }
  return { index: 0, offset: 0, skip: 0 };
}

/** How many records the beginning of a partial line is looked for, beyond the lines asked for. */
const PARTIALS_MAX = 1000;

/**
 * Walks back over `tail` whole lines, and then until the first of them has its beginning: the records of the two streams
 * may be interleaved, so a line's first part can lie before the end of an older line.
 */
function findTail(files: LogFile[], tail: number, until: string | undefined): Start {
  let seen = 0;
  let skip = 0;
  let beyond = 0;
  const open = new Set<LogStream>();
  for (let index = files.length - 1; index >= 0; index--) {
    let offset: number | undefined;
    for (const { bytes, start } of linesBackwards((files[index] as LogFile).fd)) {
      const record = parseRecord(bytes);
      const behind = start + bytes.length + 1;
      if (record && !record.isPartial && (until === undefined || record.time < until)) {
        open.delete(record.stream);
        if (seen >= tail && (open.size === 0 || ++beyond > PARTIALS_MAX)) return { index, offset: behind, skip };
        if (seen < tail) open.add(record.stream);
        else skip++;
        seen++;
      }
      offset = start;
    }
    if (index === 0) return { index, offset: offset ?? 0, skip };
  }
  return { index: 0, offset: 0, skip: 0 };
}
