/** The stages of a Dockerfile before anything is resolved: what they build on and copy from. */
import type { Dockerfile, Instruction, InstructionText, Stage } from '../../../schemas/dockerfile.ts';
import { findCycle } from '../../load/cycle.ts';
import { nearest } from '../../load/suggest.ts';
import { complaint, refuse } from '../site.ts';
import type { Session } from './session.ts';

/** A stage's name, or `stage-2`. */
export function labelOf(stage: Stage, index: number): string {
  return stage.from.name ?? `stage-${index}`;
}

const indexes = new WeakMap<Dockerfile, Map<string, number[]>>();

/** The stages of each name, ascending. */
function indexOf(tree: Dockerfile): Map<string, number[]> {
  const known = indexes.get(tree);
  if (known) return known;
  const made = new Map<string, number[]>();
  for (const [index, { from }] of tree.stages.entries()) {
    if (from.name !== undefined) made.set(from.name, [...(made.get(from.name) ?? []), index]);
  }
  indexes.set(tree, made);
  return made;
}

/** Index of the stage `name` means, the last before `before`; undefined where it is no stage. */
export function stageBefore(tree: Dockerfile, name: string, before: number): number | undefined {
  return indexOf(tree)
    .get(name.toLowerCase())
    ?.findLast((index) => index < before);
}

/** @throws StackError `build.stage` */
export function targetStage(tree: Dockerfile, target: string | undefined): number {
  if (!target) return tree.stages.length - 1;
  const found = stageBefore(tree, target, tree.stages.length);
  if (found !== undefined) return found;
  if (/^\d+$/.test(target) && Number(target) < tree.stages.length) return Number(target);
  const names = tree.stages.flatMap(({ from }) => from.name ?? []);
  const meant = nearest(target, names);
  const known = names.length > 0 ? `Stages are ${[...new Set(names)].join(', ')}.` : 'No stage has a name.';
  const hint = meant ? `Did you mean ${meant}? ${known}` : known;
  refuse(tree.stages.at(-1)!.from.source, `There is no stage ${target} to build.`, { code: 'build.stage', hint });
}

/** Names that an instruction's --from gives, in COPY and RUN --mount. */
export function namesUsed(instruction: Instruction): string[] {
  if (instruction.kind === 'copy') return instruction.from ? [instruction.from] : [];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap(({ fields }) =>
    fields.flatMap((field) => (/^from=/i.test(field) ? [field.slice('from='.length)] : [])),
  );
}

/**
 * The stage that --from names in stage `at`: by name, or by number. Undefined where it is none and so an image or a context.
 * @throws StackError `build.stage` for one that comes later, or a number out of range
 */
export function stageFrom(tree: Dockerfile, name: string, at: number, source: InstructionText): number | undefined {
  if (/^\d+$/.test(name)) {
    const index = Number(name);
    if (index < at) return index;
    const hint = at === 0 ? 'No stage comes before this one.' : `Stages before this one are 0 to ${at - 1}.`;
    refuse(source, `--from=${name}: there is no such stage before this one.`, {
      code: 'build.stage',
      word: name,
      hint,
    });
  }
  const found = stageBefore(tree, name, at);
  if (found !== undefined) return found;
  const later = stageBefore(tree, name, tree.stages.length);
  if (later === undefined) return undefined;
  const message = `--from=${name}: ${later === at ? 'a stage cannot take from itself' : 'that stage comes later'}.`;
  const hint = `Move the stage ${name} above this one.`;
  refuse(source, message, { code: 'build.stage', word: name, hint: later === at ? undefined : hint });
}

/**
 * What to say of a name that is no image, and that of a stage which comes after the instruction: where it is, and by which way
 * it comes back, if it does.
 */
export function laterStage(tree: Dockerfile, name: string, source: InstructionText): string | undefined {
  const at = tree.stages.findLastIndex(({ from }) => from.source.start <= source.start);
  const found = indexOf(tree)
    .get(name.toLowerCase())
    ?.find((index) => index > at);
  if (found === undefined) return undefined;
  const shown = (index: number) => {
    const stage = tree.stages[index]!;
    return `${labelOf(stage, index)} (${stage.from.source.file}:${stage.from.source.start})`;
  };
  const path = [at];
  for (let next: number | undefined = found; next !== undefined && !path.includes(next); ) {
    path.push(next);
    const { image }: { image: string } = tree.stages[next]!.from;
    next = stageBefore(tree, image, next) ?? stageBefore(tree, image, tree.stages.length);
    if (next === at) {
      const way = [...path, at].map(shown).join(' → ');
      return `Stages build on each other in a circle: ${way}. Break it: one of them must build on an image.`;
    }
  }
  return `The stage ${shown(found)} comes later, and a stage builds only on those above it: move it up.`;
}

/** Complains of stages that wait for each other; answers whether there are any. */
export function hasCycle(session: Session): boolean {
  const { tree, problems } = session;
  const edges = new Map<string, string[]>();
  for (const [index, stage] of tree.stages.entries()) {
    const base = stageBefore(tree, stage.from.image, index);
    const used = stage.instructions.flatMap(namesUsed).map((name) => {
      if (/^\d+$/.test(name)) return Number(name) < tree.stages.length ? Number(name) : undefined;
      return stageBefore(tree, name, index) ?? stageBefore(tree, name, tree.stages.length);
    });
    const targets = [base, ...used].filter((target) => target !== undefined);
    edges.set(String(index), targets.map(String));
  }
  const cycle = findCycle(edges);
  if (!cycle) return false;
  const path = cycle.map((index) => labelOf(tree.stages[Number(index)]!, Number(index))).join(' → ');
  const { source } = tree.stages[Number(cycle[0])]!.from;
  const hint = 'Each takes something from the next: break the circle, for instance with a stage both build on.';
  problems.errors.push(complaint(source, `Stages wait for each other: ${path}.`, { code: 'build.cycle', hint }));
  return true;
}
