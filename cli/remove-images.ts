/** `--rmi` of `stack down`. Source: docker's reference, "docker compose down". */
import { builtName } from '../planner/load/supported.ts';
import { asStackError, type StackError } from '../schemas/errors.ts';
import type { Emit } from '../schemas/events.ts';
import type { Project } from '../schemas/project.ts';
import type { Context } from './command.ts';
import { openImages } from './image/open.ts';

export type Which = 'local' | 'all';

/**
 * Images of the services, `local` those alone that were built and given no name in the stack file. One that other
 * containers use stays, with a warning. Answers how many are gone.
 */
export async function removeImages(
  context: Context,
  project: Project,
  services: string[],
  which: Which,
  emit: Emit,
): Promise<number> {
  const images = await openImages(context);
  let count = 0;
  for (const name of namesOf(project, services, which)) {
    if (!images.find(name)) continue;
    const resource = `image ${name}`;
    const about = { id: `image.remove ${name}`, kind: 'image.remove', resource } as const;
    const operations = [{ ...about, cause: `stack down --rmi ${which}` }];
    emit({ type: context.globals.dryRun ? 'dry-run' : 'plan', stack: project.name, operations });
    if (context.globals.dryRun) continue;
    emit({ type: 'started', ...about });
    const begun = performance.now();
    try {
      await images.remove(name);
      emit({ type: 'done', ...about, ms: performance.now() - begun });
      count++;
    } catch (thrown) {
      const error: StackError = asStackError(thrown);
      if (error.code !== 'image.in-use') throw error;
      emit({ type: 'skipped', ...about, because: error.message });
      emit({ type: 'warning', error });
    }
  }
  return count;
}

function namesOf(project: Project, services: string[], which: Which): Set<string> {
  const names = Object.entries(project.services).flatMap(([service, { image, build }]) => {
    if (services.length > 0 && !services.includes(service)) return [];
    const built = builtName(project, service);
    const name = image ?? (build ? built : undefined);
    return name !== undefined && (which === 'all' || name === built) ? [name] : [];
  });
  return new Set(names);
}
