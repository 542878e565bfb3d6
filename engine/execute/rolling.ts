/** Rolling updates while they run: whether a batch's containers hold, and the way back to those they replaced. */
import { batchesOf } from '../../planner/reconcile/rolling.ts';
import type { ContainerRecord, ContainerStatus } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Operation, RollingConfig } from '../../schemas/plan.ts';
import { awaitVerdict, judge } from './condition.ts';
import type { Performing } from './perform.ts';
import type { Course } from './schedule.ts';
import { hasOwnVolumes } from './world.ts';

type Monitor = Extract<Operation, { kind: 'update.monitor' }>;
type Pair = Performing['journal']['created'][number] & { former: ContainerRecord };

/**
 * Ends when every container of the batch is healthy, or has run for its time where it has no health check, and the
 * pause before the next batch is over. Those that fail are only warned of where the update goes on without them.
 * @throws plan.update, or the signal's reason
 */
export async function monitorBatch(run: Performing, operation: Monitor): Promise<void> {
  const { containers, batch, batches, replaced, service, rolling } = operation;
  const { failureAction, maxFailureRatio, delayMs, monitorMs } = rolling.update;
  const records = containers.map((name) => run.world.container(name));
  const errors = await holding(run, records, monitorMs, run.signal);
  if (errors.length > 0) {
    const failed = (run.failedReplicas.get(service) ?? 0) + errors.length;
    run.failedReplicas.set(service, failed);
    if (failureAction !== 'continue' && failed / replaced > maxFailureRatio) throw updateError(operation, errors);
    for (const error of errors) run.emit({ type: 'warning', error });
  }
  if (batch < batches) await pause(delayMs, run.signal);
}

/** A monitor of each update that says `rollback` and failed, in a batch or on the way to one. What ended with the run has not. */
export function failedUpdates({ plan, signal }: Performing, { failures }: Course): Monitor[] {
  const own = failures.filter(({ error }) => error !== signal.reason).map(({ operation }) => operation);
  const names = new Set(
    own.flatMap((one) => (one.kind === 'container.create' || one.kind === 'container.start' ? [one.name] : [])),
  );
  const found = new Map<string, Monitor>();
  for (const one of plan.operations) {
    if (one.kind !== 'update.monitor' || one.rolling.update.failureAction !== 'rollback') continue;
    if (own.includes(one) || one.containers.some((name) => names.has(name))) found.set(one.service, one);
  }
  return [...found.values()];
}

function updateError({ service, batch, batches }: Monitor, [first, ...also]: StackError[]): StackError {
  return new StackError('plan.update', {
    message: `The update of ${service} ended with batch ${batch} of ${batches}: ${first!.message}`,
    hint: first!.hint,
    resource: first!.resource,
    cause: first,
    also,
  });
}

/** Why containers do not hold, an error each. @throws the signal's reason */
async function holding(
  run: Performing,
  records: ContainerRecord[],
  monitorMs: number,
  signal: AbortSignal,
): Promise<StackError[]> {
  const { effects, waitTimeoutMs: timeoutMs } = run;
  const waits = await Promise.allSettled(
    records.map(async (record) => {
      const patience = { signal, timeoutMs };
      const condition = 'service_running_or_healthy';
      const isUp = (status: ContainerStatus) => judge(record, condition, status);
      await awaitVerdict(effects.containers, record, condition, patience, isUp);
      if (record.hasHealthcheck) return;
      const { restartCount } = effects.containers.status(record);
      const isOver = (status: ContainerStatus) => endedEarly(record, status, restartCount);
      await awaitVerdict(effects.containers, record, condition, { signal, enoughMs: monitorMs }, isOver);
    }),
  );
  signal.throwIfAborted();
  return waits.flatMap((wait) => (wait.status === 'rejected' ? [asStackError(wait.reason)] : []));
}

/** Its restart policy may bring it back: one that holds does not need that. */
function endedEarly(record: ContainerRecord, status: ContainerStatus, restarts: number): StackError | undefined {
  const verdict = judge(record, 'service_running_or_healthy', status);
  if (verdict instanceof StackError) return verdict;
  if (status.state === 'running' && status.restartCount <= restarts) return undefined;
  return new StackError('runtime.exited', {
    message: `${record.name} exited with ${status.exitCode} while it was watched`,
    hint: `\`stack logs ${record.service}\` shows what it wrote.`,
    resource: `container ${record.name}`,
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const interrupt = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', interrupt);
      resolve();
    }, ms);
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
  });
}

/**
 * `failure_action: rollback`: gives the place of the service's new containers back to those they replaced, which are
 * stopped and there, as `rollback_config` says. `tell` is called for each. Answers what went wrong.
 */
export async function rollBack(
  run: Performing,
  { service, rolling: { rollback } }: Monitor,
  tell: (record: ContainerRecord) => void,
): Promise<StackError[]> {
  const { journal, world, effects } = run;
  const pairs = journal.created.flatMap((made): Pair[] => {
    const former = made.operation.replaces;
    const isLeft = made.record.service === service && world.containers.has(made.record.id);
    return isLeft && former && world.containers.has(former.id) ? [{ ...made, former }] : [];
  });
  const errors: StackError[] = [];
  const leave = async ({ record, operation }: Pair) => {
    await effects.containers.stop(record);
    await effects.containers.remove(record, { removeAnonymousVolumes: hasOwnVolumes(operation) });
    world.removeContainer(record);
    journal.removed.add(record.id);
  };
  const back = async (pair: Pair) => {
    if (rollback.order === 'stop-first') await leave(pair);
    // One whose stop failed runs on.
    if (effects.containers.status(pair.former).state !== 'running') await effects.containers.start(pair.former);
    world.addContainer(pair.former);
  };
  const batches = batchesOf(pairs, rollback.parallelism);
  for (const [index, batch] of batches.entries()) {
    const failed = await settled(batch.map(back));
    failed.push(...(await holdingAgain(run, batch, rollback)));
    errors.push(...failed);
    if (failed.length > 0 && rollback.failureAction === 'pause') return errors;
    if (rollback.order === 'start-first') errors.push(...(await settled(batch.map(leave))));
    for (const { former } of batch) tell(former);
    if (run.interrupted?.aborted) return errors;
    if (index + 1 < batches.length) await pause(rollback.delayMs, run.interrupted ?? never).catch(() => {});
  }
  return errors;
}

async function holdingAgain(run: Performing, batch: Pair[], { monitorMs }: RollingConfig): Promise<StackError[]> {
  const formers = batch.map(({ former }) => former);
  try {
    return await holding(run, formers, monitorMs, run.interrupted ?? never);
  } catch {
    // Interrupted: what was begun is finished, and not watched.
    return [];
  }
}

const never = new AbortController().signal;

async function settled(work: Promise<void>[]): Promise<StackError[]> {
  const results = await Promise.allSettled(work);
  return results.flatMap((one) => (one.status === 'rejected' ? [asStackError(one.reason)] : []));
}
