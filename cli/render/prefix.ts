/** Log lines with the container's name in front, each container in a colour of its own. */
import type { LogLine } from '../../engine/logs/logs.ts';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Style } from './style.ts';

/** Docker compose's order: cyan, yellow, green, magenta, blue, then the bright ones. */
const palette = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

export interface PrefixOptions {
  style: Style;
  /** The time in front of each line. */
  withTime: boolean;
  withPrefix: boolean;
}

export class LogPrinter {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly options: PrefixOptions;
  private readonly colors = new Map<string, number>();
  private width = 0;

  constructor(write: (bytes: Uint8Array) => void, options: PrefixOptions) {
    this.write = write;
    this.options = options;
  }

  /** Makes the column wide enough for these containers' names. */
  widen(records: ContainerRecord[]): void {
    for (const record of records) this.width = Math.max(this.width, shortName(record).length);
  }

  line(record: ContainerRecord, { time, text }: LogLine): void {
    const head = this.prefix(record) + (this.options.withTime ? `${time} ` : '');
    const body = text.at(-1) === CARRIAGE_RETURN ? text.subarray(0, -1) : text;
    this.write(Buffer.concat([Buffer.from(head), body, NEWLINE]));
  }

  /** A word of ours about a container: `web-1 exited with code 0`. */
  notice(record: ContainerRecord, words: string): void {
    const name = this.options.style.paint(this.color(record), shortName(record));
    this.write(Buffer.from(`${name} ${words}\n`));
  }

  private prefix(record: ContainerRecord): string {
    if (!this.options.withPrefix) return '';
    return this.options.style.paint(this.color(record), `${shortName(record).padEnd(this.width)}  | `);
  }

  private color(record: ContainerRecord): number {
    const key = `${record.service}-${record.number}`;
    const color = this.colors.get(key) ?? (palette[this.colors.size % palette.length] as number);
    this.colors.set(key, color);
    return color;
  }
}

/** A terminal's line ends with both; a prefix in front of the next must not overwrite this one. */
const CARRIAGE_RETURN = 0x0d;
const NEWLINE = Buffer.from('\n');

/** `web-1`: the name without the stack's in front. */
export function shortName(record: ContainerRecord): string {
  const prefix = `${record.stack}-`;
  return record.name.startsWith(prefix) ? record.name.slice(prefix.length) : record.name;
}
