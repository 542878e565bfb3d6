/** `stack config --variables`: what the stack files ask the environment for. */
import type { Variable } from '../../planner/load/variables.ts';

type Found = Map<string, Variable>;

/** As docker compose prints it: a table, or one object by name with `format` json. */
export function variablesText(found: Found, format: 'table' | 'json'): string {
  if (format === 'json') return `${JSON.stringify(variablesByName(found, 'json'), null, 4)}\n`;
  const rows = [
    ['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'],
    ...sorted(found).map(({ name, isRequired, default: value, alternate }) => [
      name,
      String(isRequired),
      value,
      alternate,
    ]),
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

/** With docker compose's keys, which are lower case in YAML. */
export function variablesByName(found: Found, format: 'json' | 'yaml'): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    sorted(found).map(({ name, isRequired, default: value, alternate }) => {
      const entry = { Name: name, DefaultValue: value, PresenceValue: alternate, Required: isRequired };
      const pairs = Object.entries(entry).map(([key, each]) => [format === 'yaml' ? key.toLowerCase() : key, each]);
      return [name, Object.fromEntries(pairs)];
    }),
  );
}

function sorted(found: Found): Variable[] {
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
