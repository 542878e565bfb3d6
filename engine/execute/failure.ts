/** The error of a run: the first failure, the chain of those that waited for it, the last lines it wrote, what is left. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Operation, OperationKind } from '../../schemas/plan.ts';
import { interruptedExitCode } from '../../schemas/signals.ts';
import type { Performing } from './perform.ts';
import type { Course, Failure } from './schedule.ts';
import type { Undone } from './undo.ts';

const lineCount = 5;
/** More things than these are counted, not named. */
const maxNamed = 6;

/** The failures of a run in words. Asked for before anything is taken back: a log goes with its container. */
export function explainFailures(run: Performing, { failures }: Course): StackError[] {
  return failures.filter(({ error }) => !isAbort(error, run.signal)).map((failure) => explain(run, failure));
}

export interface Ending {
  explained: StackError[];
  undone: Undone;
  /** The user's signal, where it ended the run. */
  interruptedBy?: AbortSignal | undefined;
}

/** What failed first, with what was taken back and what is left in its hint; the others, those of taking back last, in `also`. */
export function runError(run: Performing, course: Course, { explained, undone, interruptedBy }: Ending): StackError {
  const [first, ...rest] = explained;
  const also = [...rest, ...undone.errors];
  const left = [takenBack(undone), leftRunning(run)].filter(Boolean).join(' ');
  if (interruptedBy || !first) {
    const open = course.skipped.length + course.failures.length;
    return new StackError('plan.interrupted', {
      message: `Interrupted: ${open} of ${run.plan.operations.length} steps were not done.`,
      hint: [left, 'Run the command again to go on from here.'].filter(Boolean).join(' '),
      exitCode: interruptedExitCode(interruptedBy),
      also: first ? [first, ...also] : also,
    });
  }
  return first.with({ hint: [first.hint, left].filter(Boolean).join(' '), also: [...first.also, ...also] });
}

/** An operation that ended because the run did. */
const isAbort = (error: unknown, signal: AbortSignal) =>
  (signal.aborted && error === signal.reason) ||
  (error instanceof StackError && error.code === 'plan.interrupted') ||
  (error instanceof Error && error.name === 'AbortError');

function explain(run: Performing, { operation, error }: Failure): StackError {
  const known = asStackError(error, 'internal', { resource: operation.resource, operation: operation.kind });
  const record = subject(run, operation, known);
  const lines = record ? (run.effects.lastLines?.(record, lineCount) ?? []) : [];
  const tail = lines.map((line) => `\n  ${record!.name} | ${line}`).join('');
  if (operation.kind !== 'dependency.await' || operation.condition === 'service_running_or_healthy') {
    return tail ? known.with({ message: known.message + tail }) : known;
  }
  return new StackError('plan.dependency', {
    message: `${chain(run, operation)} ← ${known.message}${tail}`,
    hint: known.hint,
    resource: known.resource ?? operation.resource,
    cause: known,
  });
}

/** The container whose log tells more. */
function subject({ world }: Performing, operation: Operation, error: StackError): ContainerRecord | undefined {
  if (operation.kind === 'container.start') return find(world.containers.values(), operation.name);
  if (operation.kind !== 'dependency.await' && operation.kind !== 'update.monitor') return undefined;
  const name = operation.containers.find((candidate) => error.resource === `container ${candidate}`);
  return name ? find(world.containers.values(), name) : undefined;
}

const find = (records: Iterable<ContainerRecord>, name: string) =>
  [...records].findLast((record) => record.name === name);

/** Who could not start because of it, the outermost first: `web ← api`. Of several branches the first by name. */
function chain({ plan, world }: Performing, awaited: Operation): string {
  const path: string[] = [];
  let ids = new Set([awaited.id]);
  const seen = new Set<string>();
  for (;;) {
    const starts = plan.operations.filter(
      (one) => one.kind === 'container.start' && !seen.has(one.id) && one.needs.some((need) => ids.has(need)),
    );
    const [next] = starts;
    if (next?.kind !== 'container.start') break;
    const service = find(world.containers.values(), next.name)?.service ?? serviceOf(plan.operations, next.name);
    if (path[0] !== service) path.unshift(service);
    seen.add(next.id);
    // Whoever waits for its start, or for the condition that follows from it.
    const after = plan.operations.filter((one) => one.kind === 'dependency.await' && one.needs.includes(next.id));
    ids = new Set([next.id, ...after.map(({ id }) => id)]);
  }
  return path.join(' ← ') || plan.stack;
}

function serviceOf(operations: Operation[], name: string): string {
  const create = operations.find((one) => one.kind === 'container.create' && one.name === name);
  if (create?.kind === 'container.create') return create.service;
  return name;
}

function listed(names: string[]): string {
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : '';
  return `${names.slice(0, maxNamed).join(', ')}${more}`;
}

function takenBack({ done }: Undone): string {
  const words = (verb: string, isMeant: (kind: OperationKind) => boolean, end = '') => {
    const all = done.flatMap(({ kind, resource }) => (isMeant(kind) ? [resource] : [])).sort();
    return all.length > 0 ? [`${verb} ${listed(all)}${end}`] : [];
  };
  const parts = [
    ...words('removed', (kind) => kind.endsWith('.create')),
    ...words('started', (kind) => kind === 'container.stop', ' again'),
    ...words('went back to the former', (kind) => kind === 'update.monitor'),
  ];
  return parts.length > 0 ? `Taken back: ${parts.join('; ')}.` : '';
}

/** What the user finds running now, in words; empty where nothing was started. */
function leftRunning({ journal, world, plan, effects }: Performing): string {
  if (plan.action !== 'up') return '';
  const names = [...journal.started]
    .flatMap((id) => world.containers.get(id) ?? [])
    .filter((record) => ['running', 'restarting'].includes(effects.containers.status(record).state))
    .map(({ name }) => name)
    .sort();
  if (names.length === 0) return '';
  return `Left running: ${listed(names)}; \`stack down\` removes ${names.length > 1 ? 'them' : 'it'}.`;
}
