/** Medians, ratios and their table. */

export function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Row {
  name: string;
  /** By contender; undefined where it was not measured. */
  values: Map<string, number>;
  unit: 'ms' | 'MB' | '';
}

function shown(value: number | undefined, unit: Row['unit']): string {
  if (value === undefined) return '–';
  return `${value < 100 ? value.toFixed(1) : Math.round(value)}${unit && ` ${unit}`}`;
}

/** Columns of text; beside each peer's figure, how many times ours it is. */
export function table(rows: Row[], contenders: string[]): string {
  const ours = contenders[0]!;
  const cells = [
    ['', ...contenders],
    ...rows.map(({ name, values, unit }) => [
      name,
      ...contenders.map((contender) => {
        const value = values.get(contender);
        const base = values.get(ours);
        const isCompared = unit !== '' && contender !== ours && value !== undefined && base;
        return shown(value, unit) + (isCompared ? ` (${(value / base).toFixed(1)}×)`.padStart(9) : '');
      }),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) => row.map((cell, column) => (column ? cell.padStart(widths[column]!) : cell.padEnd(widths[0]!))))
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}
