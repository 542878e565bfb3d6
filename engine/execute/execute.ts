/** Walks a plan. Everything is decided: what happens here is order, reports, and the way back when something fails. */
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Emit } from '../../schemas/events.ts';
import type { Operation, OperationKind, Plan } from '../../schemas/plan.ts';
import type { Project } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import type { Effects } from './effects.ts';
import { explainFailures, runError } from './failure.ts';
import { type Performing, perform } from './perform.ts';
import { type Course, type Gate, type Limit, schedule } from './schedule.ts';
import { timingsOf } from './timings.ts';
import { undo } from './undo.ts';
import { emptyJournal, World } from './world.ts';

export interface Execution {
  plan: Plan;
  project: Project;
  /** What the plan was made from. */
  snapshot: Snapshot;
  /** Asked for where there is something to do: what does it is not loaded for nothing. */
  effects: () => Promise<Effects>;
  emit: Emit;
  signal?: AbortSignal | undefined;
  waitTimeoutMs?: number | undefined;
  /** `--parallel`: how many operations run at once; absent or below 1: all that can. */
  parallel?: number | undefined;
}

export interface Outcome {
  containers: ContainerRecord[];
  networks: NetworkRecord[];
}

/**
 * Pulls and builds begin at once and beside everything that is only made; a service starts as soon as its own image is there.
 * What exists is not touched before every image is: one that cannot be had changes nothing. In `up`, `start` and
 * `restart` the first failure ends the run: nothing new begins, what was half made is taken back. In `down` and `stop`
 * everything that can still be done is done. Throws one StackError, the other problems in its `also`.
 */
export async function execute(execution: Execution): Promise<Outcome> {
  const { plan, project, snapshot, emit, waitTimeoutMs } = execution;
  report(plan, emit);
  const world = new World(snapshot, plan);
  if (plan.operations.length === 0) return outcomeOf(world);
  const effects = await execution.effects();
  const end = new AbortController();
  const onSignal = () => end.abort(execution.signal!.reason);
  if (execution.signal?.aborted) onSignal();
  else execution.signal?.addEventListener('abort', onSignal, { once: true });
  const isTakingDown = plan.action === 'down' || plan.action === 'stop';
  const run: Performing = {
    plan,
    project,
    effects,
    emit,
    waitTimeoutMs,
    signal: end.signal,
    interrupted: execution.signal,
    world,
    journal: emptyJournal(),
    images: new Map(),
    hooks: new Map(),
    failedReplicas: new Map(),
  };
  try {
    const onFailure = () => {
      if (!isTakingDown) end.abort(new StackError('plan.interrupted', { message: 'Another step failed.' }));
    };
    const limit = limitOf(execution.parallel);
    const scheduling = { signal: end.signal, onFailure, gate: imagesFirst, limit };
    const course = await schedule(plan.operations, (one) => step(run, one), scheduling);
    emit({ type: 'timings', ...timingsOf(course) });
    const isInterrupted = execution.signal?.aborted === true;
    if (course.failures.length === 0 && course.skipped.length === 0) {
      return outcomeOf(world);
    }
    for (const { id, kind, resource } of course.skipped) {
      emit({ type: 'skipped', id, kind, resource, because: isInterrupted ? 'interrupted' : 'an earlier step failed' });
    }
    const explained = explainFailures(run, course);
    const undone = await undo(run, course, isImageMissing(course));
    throw runError(run, course, { explained, undone, interruptedBy: isInterrupted ? execution.signal : undefined });
  } finally {
    execution.signal?.removeEventListener('abort', onSignal);
  }
}

/** What ends or replaces something that exists. Left-overs of an interrupted command are nobody's loss. */
const takesAway = new Set<OperationKind>(['container.stop', 'container.remove', 'network.remove', 'volume.remove']);
const bringsImage = ({ kind }: Operation) => kind === 'image.pull' || kind === 'image.build';
const imagesFirst: Gate = {
  isAwaited: bringsImage,
  isHeld: ({ kind }) => takesAway.has(kind),
};

const limitOf = (atOnce = 0): Limit | undefined =>
  atOnce < 1
    ? undefined
    : { atOnce, isCounted: ({ kind }) => kind !== 'dependency.await' && kind !== 'update.monitor' };

const isImageMissing = ({ failures: [first] }: Course) => first !== undefined && bringsImage(first.operation);

const outcomeOf = (world: World): Outcome => ({
  containers: world.sortedContainers(),
  networks: [...world.networks.values()],
});

function report({ stack, operations, warnings }: Plan, emit: Emit): void {
  emit({
    type: 'plan',
    stack,
    operations: operations.map(({ id, kind, resource, cause }) => ({ id, kind, resource, cause })),
  });
  for (const message of warnings) emit({ type: 'warning', error: new StackError('plan.warning', { message }) });
}

/** What is told and no obstacle: a dependency that is not required, and in `down` what other stacks still use. */
function canGoOn({ plan, signal }: Performing, operation: Operation, { code }: StackError): boolean {
  if (signal.aborted) return false;
  if (operation.kind === 'dependency.await') return !operation.isRequired;
  return plan.action === 'down' && (code === 'network.in-use' || code === 'volume.in-use');
}

async function step(run: Performing, operation: Operation): Promise<void> {
  const { id, kind, resource } = operation;
  const { emit } = run;
  const begun = performance.now();
  const ms = () => Math.round(performance.now() - begun);
  emit({ type: 'started', id, kind, resource });
  try {
    await perform(run, operation);
  } catch (thrown) {
    const error = asStackError(thrown, 'internal', { resource, operation: kind });
    if (run.signal.aborted && thrown === run.signal.reason) {
      emit({ type: 'skipped', id, kind, resource, because: 'the run ended' });
      throw thrown;
    }
    if (!canGoOn(run, operation, error)) {
      emit({ type: 'failed', id, kind, resource, ms: ms(), error });
      throw thrown;
    }
    emit({ type: 'warning', error });
    if (operation.kind !== 'dependency.await') {
      emit({ type: 'skipped', id, kind, resource, because: 'it is still in use' });
      return;
    }
  }
  emit({ type: 'done', id, kind, resource, ms: ms() });
}
