/** What --from names: a stage, a context, an image. Source: Dockerfile reference, "COPY --from". */
import type { VertexId } from '../../../schemas/build.ts';
import type { InstructionText } from '../../../schemas/dockerfile.ts';
import type { Step } from './dispatch.ts';
import { contextNamed, imageState } from './images.ts';
import { stageFrom } from './stages.ts';

/**
 * The tree that `name` is. Undefined where that stage is broken, which is noted with it.
 * `paths` is what is needed of a local context; without, all of it.
 * @throws StackError
 */
export async function sourceVertex(
  step: Step,
  name: string,
  source: InstructionText,
  paths?: string[],
): Promise<VertexId | undefined> {
  const { session, index, state } = step;
  if (contextNamed(session, name) === undefined) {
    const stage = stageFrom(session.tree, name, index, source);
    if (stage !== undefined) return (await step.stages.stage(stage))?.vertex;
  }
  const names = session.tree.stages.slice(0, index).flatMap(({ from }) => from.name ?? []);
  const naming = { source, prefix: `[${step.stage === '' ? '' : `${step.stage} `}from] `, stage: step.stage };
  const { vertex } = await imageState(session, name, state.platform, naming, names);
  const known = session.vertices.get(vertex);
  if (paths === undefined || known?.operation.kind !== 'source.context') return vertex;
  const { where, name: title } = known;
  return session.vertices.add({ ...known.operation, paths }, [], { where, name: title });
}
