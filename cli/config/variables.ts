/** `stack config --variables`: what the stack files ask the environment for. */
import type { Variable } from '../../planner/load/variables.ts';

/** As docker compose prints it: a table, or one object by name with `format` json. */
export function variablesText(found: Map<string, Variable>, format: 'table' | 'json'): string {
  const variables = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (format === 'json') {
    const entries = variables.map(({ name, isRequired, default: value, alternate }) => [
      name,
      { Name: name, DefaultValue: value, PresenceValue: alternate, Required: isRequired },
    ]);
    return `${JSON.stringify(Object.fromEntries(entries), null, 4)}\n`;
  }
  const rows = [
    ['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'],
    ...variables.map(({ name, isRequired, default: value, alternate }) => [name, String(isRequired), value, alternate]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)) + 3);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}
