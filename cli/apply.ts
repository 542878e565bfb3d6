/** Carries out a plan with progress shown and Ctrl-C heard. */
import type { Applied, Engine, Run } from '../engine/engine.ts';
import type { ReconcileOptions } from '../planner/reconcile/options.ts';
import { asStackError, StackError } from '../schemas/errors.ts';
import type { Emit, EventKind } from '../schemas/events.ts';
import type { Project } from '../schemas/project.ts';
import { interruptedExitCode, interruption, signalExitCode } from '../schemas/signals.ts';
import { type Context, integer } from './command.ts';
import { projectOrRecords } from './project.ts';
import { type Renderer, renderer } from './render/render.ts';
import { onEndingSignal } from './signals.ts';

export interface ApplyOptions {
  /** What the command calls itself, for those who wait for its lock. */
  command: string;
  waitTimeoutMs?: number | undefined;
  /** Ends the run in place of Ctrl-C, for a caller that answers signals itself. */
  signal?: AbortSignal;
  inspect?: Run['inspect'];
}

/** The first Ctrl-C ends the run in order, the second the process. */
export async function apply(
  context: Context,
  engine: Engine,
  project: Project,
  options: ReconcileOptions,
  { command, waitTimeoutMs, signal: own, inspect }: ApplyOptions,
  render: Renderer = renderer(context),
): Promise<Applied> {
  try {
    const { dryRun: isDry, parallel } = context.globals;
    const run = (signal: AbortSignal) =>
      engine.apply(
        project,
        options,
        given({ emit: render.emit, signal, command, waitTimeoutMs, inspect, parallel, isDry }),
      );
    return await (own ? run(own) : interruptible(run));
  } finally {
    await render.close();
  }
}

/** `start`, `stop` and `restart`: what becomes of containers that are there, with a stack file or without. */
export async function applyToContainers(
  context: Context,
  action: 'start' | 'stop' | 'restart',
  services: string[],
  flags: { timeoutMs?: number | undefined; noDeps?: boolean; wait?: boolean | undefined } = {},
  waitTimeoutMs?: number,
): Promise<void> {
  const render = renderer(context);
  const engine = await context.engine();
  const { project, disabledServices } = await projectOrRecords(context, engine, render.emit, services);
  const options = given({ action, services, disabledServices, ...flags });
  await apply(context, engine, project, options, given({ command: `stack ${action}`, waitTimeoutMs }), render);
}

/** Runs `work` with a signal that SIGINT, SIGTERM or SIGHUP aborts; the second one ends the process. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  using _listening = onEndingSignal((signal) => {
    if (controller.signal.aborted) process.exit(signalExitCode(signal));
    controller.abort(interruption(signal));
  });
  try {
    return await work(controller.signal);
  } catch (thrown) {
    const exitCode = interruptedExitCode(controller.signal);
    const isOfSignal = controller.signal.aborted && thrown instanceof StackError && thrown.code === 'plan.interrupted';
    // The rooms know that they were interrupted, and not by which signal.
    throw isOfSignal && thrown.exitCode !== exitCode ? thrown.with({ exitCode }) : thrown;
  }
}

interface Progress {
  detail: string;
  current?: number;
  total?: number;
}

/**
 * Reports work on `resources` the way a plan's operations are reported. All at once; every failure is told.
 * `isDry`: what would be done is told, and nothing done.
 * @throws the first failure as StackError, the others in `also`
 */
export async function tell<T>(
  emit: Emit,
  kind: EventKind,
  resources: string[],
  work: (index: number, onProgress: (progress: Progress) => void) => Promise<T>,
  isDry = false,
): Promise<T[]> {
  const operations = resources.map((resource) => ({ id: `${kind} ${resource}`, kind, resource, cause: 'asked for' }));
  emit({ type: isDry ? 'dry-run' : 'plan', stack: '', operations });
  if (isDry) return [];
  const one = async ({ id, resource }: { id: string; resource: string }, index: number) => {
    const began = performance.now();
    emit({ type: 'started', id, kind, resource });
    try {
      const result = await work(index, ({ detail, current, total }) =>
        emit({ type: 'progress', id, resource, ...given({ detail, current, total }) }),
      );
      emit({ type: 'done', id, kind, resource, ms: performance.now() - began });
      return result;
    } catch (thrown) {
      const error = asStackError(thrown);
      emit({ type: 'failed', id, kind, resource, ms: performance.now() - began, error });
      throw error;
    }
  };
  const results = await Promise.allSettled(operations.map(one));
  const [first, ...rest] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (!first) return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  first.also.push(...rest);
  throw first;
}

/** Seconds on the command line to milliseconds. */
export function timeoutMs(seconds: string): number {
  return Math.max(0, integer(seconds)) * 1000;
}

/** The flags that are there, without those that are not. */
export function given<T extends object>(flags: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as never;
}
