/** Lists in the form `--format` asks for: docker's columns, JSON lines, or a Go template. */
import { InvalidArgumentError } from 'commander';
import { StackError } from '../../schemas/errors.ts';
import { table } from './table.ts';
import { header, isTemplate, template } from './template.ts';

export interface Column<Row> {
  title: string;
  field: keyof Row & string;
}

/** The value of `--format`, refused before anything is looked at. @throws InvalidArgumentError */
export function listFormat(value: string): string {
  if (value === 'table' || value === 'json' || isTemplate(value)) return value;
  throw new InvalidArgumentError("It must be table, json, or a template such as '{{.Name}}'.");
}

/**
 * Text of the whole list. `titles` heads the columns of `table {{…}}`.
 * @throws StackError `usage` for a format that is none
 */
export function list<Row extends object>(
  rows: Row[],
  format: string,
  columns: Column<Row>[],
  titles: Record<string, string> = {},
): string {
  if (format === 'json') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const cells = (row: Row) => columns.map(({ field }) => String(row[field]));
  if (format === 'table')
    return table(
      columns.map(({ title }) => title),
      rows.map(cells),
    );
  if (!isTemplate(format)) {
    throw new StackError('usage', {
      message: `"${format}" is no format.`,
      hint: "Allowed are table, json, and templates such as '{{.ID}}'.",
    });
  }
  const isTable = format.startsWith('table ');
  const text = isTable ? format.slice('table '.length) : format;
  const render = template(text);
  if (!isTable) return rows.map((row) => `${render(row)}\n`).join('');
  const own = Object.fromEntries(columns.map(({ field, title }) => [field, title]));
  return table(
    header(text, { ...own, ...titles }).split('\t'),
    rows.map((row) => render(row).split('\t')),
  );
}
