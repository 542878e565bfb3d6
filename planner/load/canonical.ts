/** The project as `docker compose config` prints it: keys sorted, `$` doubled so that the output can be loaded again. */
import type { Project } from '../../schemas/project.ts';

export function canonical(project: Project): Record<string, unknown> {
  const result = sorted(project) as Record<string, unknown>;
  for (const section of ['volumes', 'networks']) {
    if (Object.keys((result[section] ?? {}) as object).length === 0) delete result[section];
  }
  return result;
}

function sorted(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (item !== undefined) result[key.replaceAll('$', '$$$$')] = sorted(item);
  }
  return result;
}
