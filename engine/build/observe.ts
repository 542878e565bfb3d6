/** Images that are going to be built again, and what has changed since they were: a plan says so. */
import { graph } from '../../planner/graph.ts';
import type { ReconcileOptions } from '../../planner/reconcile/options.ts';
import { select } from '../../planner/reconcile/selection.ts';
import { asStackError } from '../../schemas/errors.ts';
import type { Project } from '../../schemas/project.ts';
import type { ObservedBuild, ObservedImage } from '../../schemas/snapshot.ts';
import type { Rooms } from '../rooms.ts';
import { requestOf } from './request.ts';

/** @throws StackError where no plan can be made either */
export async function observeBuilds(
  rooms: Rooms,
  project: Project,
  options: ReconcileOptions,
  images: ObservedImage[],
  signal: AbortSignal,
): Promise<ObservedBuild[]> {
  const ids = new Map(images.map(({ name, id }) => [name, id]));
  const { active } = select(project, graph(project), options);
  const asked = [...active].filter((name) => {
    const { build, image, pull_policy: policy } = project.services[name]!;
    return build && image && ids.has(image) && (options.build || policy === 'build');
  });
  if (asked.length === 0) return [];
  const builds = await rooms.builds();
  const quiet = { emit() {}, warn() {}, signal };
  return Promise.all(
    asked.map(async (name): Promise<ObservedBuild> => {
      const image = project.services[name]!.image!;
      try {
        const changed = await builds.changes(requestOf(project, name, {}, process.env, quiet), ids.get(image)!);
        return changed ? { image, changed } : { image };
      } catch (thrown) {
        // What is wrong with it, the build will say, with its place.
        if (signal.aborted || asStackError(thrown).code === 'internal') throw thrown;
        return { image };
      }
    }),
  );
}
