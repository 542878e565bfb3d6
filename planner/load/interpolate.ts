/** Phase 2: variables in every value (never in keys). Hands out a new tree, so that later phases may not meet shared values. */
import { formatPath, type Path, type Place, type Places, type Variables } from './places.ts';
import type { Problems } from './problems.ts';
import { define } from './read.ts';
import { type Expansion, expand } from './template.ts';

export interface Interpolation {
  /** Undefined: variables stay as they are written. */
  scope: Variables | undefined;
  places: Places;
  problems: Problems;
}

export function interpolate(value: unknown, task: Interpolation, path: Path = [], place?: Place): unknown {
  if (typeof value === 'string') {
    if (!value.includes('$') || !task.scope) return value;
    const expansion = expand(value, task.scope.lookup);
    report(expansion, value, task, path, place);
    return expansion.value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const { places } = task;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (const [index, item] of value.entries()) {
      const itemPlace = places.get(value, index);
      places.set(list, index, written(itemPlace, item, task));
      list.push(interpolate(item, task, [...path, index], itemPlace ?? place));
    }
    return list;
  }
  const map: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const itemPlace = places.get(value, key);
    places.set(map, key, written(itemPlace, item, task));
    define(map, key, interpolate(item, task, [...path, key], itemPlace ?? place));
  }
  return map;
}

const commands = new Set(['command', 'entrypoint', 'test', 'post_start', 'pre_start', 'pre_stop', 'exec']);

/** In a command the variable is most likely the container's. */
function unsetHint(name: string, path: Path): string {
  if (path[0] === 'services' && path.some((key) => commands.has(String(key)))) {
    return `Write $$${name} to have the container fill it in.`;
  }
  return `Set it in the environment or in the .env file, or write $$ where the dollar sign itself is meant.`;
}

function written(place: Place | undefined, value: unknown, { scope }: Interpolation): Place | undefined {
  if (!place || !scope || typeof value !== 'string' || !value.includes('$')) return place;
  return { ...place, template: { text: value, scope } };
}

function report(
  expansion: Expansion,
  template: string,
  task: Interpolation,
  path: Path,
  place: Place | undefined,
): void {
  const where = (start: number, length: number) => {
    if (!place) return undefined;
    // The template's characters can be pointed at where the file has them as they are: no escapes, no folding.
    const { source } = place;
    const text = source.text.slice(place.start, place.end);
    const at = text.indexOf(template);
    if (at === -1) return source.position(place.start, place.end);
    return source.position(place.start + at + start, place.start + at + start + length);
  };
  for (const problem of expansion.problems) {
    task.problems.error('config.interpolation', {
      message: `${formatPath(path)}: ${problem.message}`,
      hint:
        problem.kind === 'required'
          ? 'Set it in the environment or in the .env file.'
          : 'A dollar sign that is meant literally is written $$.',
      where: where(problem.start, problem.length),
    });
  }
  for (const missing of expansion.unset) {
    task.problems.warn('config.interpolation', {
      message: `The "${missing.name}" variable is not set. Defaulting to a blank string.`,
      hint: unsetHint(missing.name, path),
      where: where(missing.start, missing.length),
    });
  }
}
