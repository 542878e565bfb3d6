/** `--remove-orphans`, and the variable that stands in for it. */
import { isTrue } from '../planner/load/discover.ts';
import type { Context } from './command.ts';

/** True where the flag is given, or COMPOSE_REMOVE_ORPHANS turns it on; else undefined. */
export function removesOrphans(
  { removeOrphans }: { removeOrphans?: boolean },
  { environment }: Pick<Context, 'environment'>,
): true | undefined {
  return removeOrphans || isTrue(environment.COMPOSE_REMOVE_ORPHANS) || undefined;
}
