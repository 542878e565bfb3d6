/** The rules of the stack file as a watch takes them: problems told, paths without links. */
import { realpathSync } from 'node:fs';
import type { Loaded } from '../../planner/load/load.ts';
import type { Emit } from '../../schemas/events.ts';
import type { WatchRule } from '../../schemas/watch.ts';
import { kind, read } from '../project.ts';

/**
 * @param onRead told of ignore files, there or not.
 * @throws config.value for the first rule that means nothing, the others in `also`
 */
export async function rulesOf(loaded: Loaded, services: string[], emit: Emit, onRead?: (path: string) => void) {
  const { watchRules } = await import('../../planner/watch/rules.ts');
  const reading = (path: string) => {
    onRead?.(path);
    return read(path);
  };
  const { rules, errors, warnings } = watchRules(loaded, services, { kind, read: reading });
  const [first, ...rest] = errors;
  if (first) {
    first.also.push(...rest);
    throw first;
  }
  for (const error of warnings) emit({ type: 'warning', error });
  return rules.map(resolved);
}

function resolved(rule: WatchRule): WatchRule {
  const ignore = rule.ignore.map(({ base, lines }) => ({ base: real(base), lines }));
  return { ...rule, path: real(rule.path), ignore };
}

export function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
