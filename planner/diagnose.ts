/** An error as plain text: what, where, the line itself with an underline, the other place involved, what to do next. */
import type { Position, StackError } from '../schemas/errors.ts';

/** Longest part of a line that is shown. */
const width = 160;

/**
 * The text of `error` without a final newline. `source` answers a file's text by the name positions carry, or undefined
 * where it is gone; then the line is left out.
 */
export function formatError(error: StackError, source: (file: string) => string | undefined): string {
  const lines: string[] = [];
  const place = error.where ? `${formatPosition(error.where)}: ` : '';
  lines.push(`${place}${error.message}`);
  if (error.where) lines.push(...excerpt(error.where, source));
  if (error.other) {
    lines.push(`  the other place: ${formatPosition(error.other)}`);
    lines.push(...excerpt(error.other, source));
  }
  if (error.hint) lines.push(`  ${error.hint}`);
  return lines.join('\n');
}

/** `stack.yaml:12:5` */
export function formatPosition({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`;
}

function excerpt(where: Position, source: (file: string) => string | undefined): string[] {
  const line = source(where.file)?.split('\n')[where.line - 1]?.replace(/\r$/, '');
  if (line === undefined) return [];
  const from = where.column > width - 20 ? where.column - 40 : 0;
  const shown = line.slice(from, from + width);
  const number = String(where.line);
  const indent = ' '.repeat(number.length);
  // Tabs stay tabs, so that the underline stands below what it points at.
  const padding = shown.slice(0, where.column - 1 - from).replaceAll(/[^\t]/g, ' ');
  const underline = '^'.repeat(Math.max(1, Math.min(where.length ?? 1, shown.length - (where.column - 1 - from))));
  return [`  ${number} | ${shown}`, `  ${indent} | ${padding}${underline}`];
}
