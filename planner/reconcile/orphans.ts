/** Containers of services the stack file no longer has. */
import type { Project } from '../../schemas/project.ts';
import type { ObservedContainer, Snapshot } from '../../schemas/snapshot.ts';
import type { Builder } from './builder.ts';
import type { ReconcileOptions } from './options.ts';

/** A service that only lacks an active profile is still one of the stack's. */
export function isOrphan(
  { record }: ObservedContainer,
  project: Project,
  { disabledServices = [] }: ReconcileOptions,
): boolean {
  return !Object.hasOwn(project.services, record.service) && !disabledServices.includes(record.service);
}

/** Names of the orphans that stay; with `--remove-orphans` none does, and what `run` left behind goes too. */
export function handleOrphans(
  project: Project,
  snapshot: Snapshot,
  options: ReconcileOptions,
  plan: Builder,
  warnings: string[],
): string[] {
  const orphans = snapshot.containers.filter((container) => isOrphan(container, project, options));
  if (options.removeOrphans) {
    const leftovers = snapshot.containers.filter(
      ({ record, status }) => record.isOneOff && (status.state === 'exited' || status.state === 'dead'),
    );
    for (const container of new Set([...orphans, ...leftovers])) {
      const { record } = container;
      const cause = record.isOneOff ? 'left over from `stack run`' : `the stack file has no service ${record.service}`;
      const stop = plan.stop(container, cause);
      plan.remove(record, cause, stop ? [stop] : []);
    }
    return [];
  }
  const left = orphans.filter(({ record }) => !record.isOneOff).map(({ record }) => record.name);
  if (left.length > 0 && !options.ignoreOrphans) {
    warnings.push(
      `Containers of services the stack file no longer has: ${left.join(', ')}. Remove them with --remove-orphans.`,
    );
  }
  return left;
}
