/**
 * One record of a container's log: `2026-11-23T12:00:00.123456789Z stdout F text`.
 * Source: kubernetes kubelet-cri-logging.md. Content is bytes: nothing says a program writes UTF-8.
 */

export type LogStream = 'stdout' | 'stderr';

/** A line of the file. `P`: the program's line goes on in the next record of the same stream. */
export interface LogRecord {
  /** RFC 3339, UTC, nine decimals: comparable as text. */
  time: string;
  stream: LogStream;
  isPartial: boolean;
  text: Buffer;
}

/** A line as the program wrote it, without its newline. */
export interface LogLine {
  time: string;
  stream: LogStream;
  text: Buffer;
}

const SPACE = 0x20;
const PARTIAL = 0x50;

/** Reads one record, without its newline. Null for anything else: a torn write after a crash of the machine. */
export function parseRecord(bytes: Buffer): LogRecord | null {
  const afterTime = bytes.indexOf(SPACE);
  if (afterTime < 20) return null;
  const afterStream = bytes.indexOf(SPACE, afterTime + 1);
  if (afterStream < 0) return null;
  const stream = bytes.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return null;
  let afterTags = bytes.indexOf(SPACE, afterStream + 1);
  if (afterTags < 0) afterTags = bytes.length;
  // Tags are separated by colons and the first one is P or F.
  const isPartial = bytes[afterStream + 1] === PARTIAL;
  const time = normalTime(bytes.toString('latin1', 0, afterTime));
  return { time, stream, isPartial, text: bytes.subarray(Math.min(afterTags + 1, bytes.length)) };
}

/** Nine decimals and `Z`, so that two times compare as text. */
function normalTime(time: string): string {
  if (time.length === 30 && time.endsWith('Z')) return time;
  const parts = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (!parts) return time;
  const seconds = parts[3] === 'Z' ? parts[1] : new Date(`${parts[1]}${parts[3]}`).toISOString().slice(0, 19);
  return `${seconds}.${(parts[2] ?? '').padEnd(9, '0').slice(0, 9)}Z`;
}

/** Joins partial records, each stream for itself. A line carries the time of the record that ends it. */
export class Joiner {
  private readonly open = new Map<LogStream, { time: string; parts: Buffer[] }>();

  /** The line this record ends, or null while it goes on. */
  push(record: LogRecord): LogLine | null {
    const open = this.open.get(record.stream);
    if (record.isPartial) {
      if (open) {
        open.parts.push(record.text);
        open.time = record.time;
      } else this.open.set(record.stream, { time: record.time, parts: [record.text] });
      return null;
    }
    if (!open) return { time: record.time, stream: record.stream, text: record.text };
    this.open.delete(record.stream);
    return { time: record.time, stream: record.stream, text: Buffer.concat([...open.parts, record.text]) };
  }

  /** What a program wrote without a newline before the log ended, in order of time. */
  *flush(): Generator<LogLine> {
    const rest = [...this.open].sort(([, a], [, b]) => (a.time < b.time ? -1 : 1));
    this.open.clear();
    for (const [stream, { time, parts }] of rest) yield { time, stream, text: Buffer.concat(parts) };
  }
}
