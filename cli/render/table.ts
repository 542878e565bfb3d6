import { visible } from './visible.ts';

/** Columns as docker prints them: three spaces between, the last one unpadded. */
export function table(header: string[], rows: string[][]): string {
  const all = [header, ...rows.map((row) => row.map((cell) => visible(cell).replace(/[\n\t]/g, ' ')))];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('   ')
      .trimEnd();
  return all.map((row) => `${line(row)}\n`).join('');
}
