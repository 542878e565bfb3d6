/** The project as `docker compose config` prints it: keys sorted, `$` doubled so that the output can be loaded again. */
import type { Project } from '../../schemas/project.ts';

/** `isTemplate`: variables were not filled in, so that a `$` is one. */
export function canonical(project: Project, isTemplate = false): Record<string, unknown> {
  const double = isTemplate ? (text: string) => text : (text: string) => text.replaceAll('$', '$$$$');
  const result = sorted(project, double) as Record<string, unknown>;
  for (const section of ['volumes', 'networks']) {
    if (Object.keys((result[section] ?? {}) as object).length === 0) delete result[section];
  }
  return result;
}

function sorted(value: unknown, double: (text: string) => string): unknown {
  if (typeof value === 'string') return double(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => sorted(item, double));
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (item !== undefined) result[double(key)] = sorted(item, double);
  }
  return result;
}
