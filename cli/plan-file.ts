/** `stack plan -o FILE` and `stack up --plan FILE`. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Engine, Run } from '../engine/engine.ts';
import { buildInputs } from '../engine/lock/inputs.ts';
import { planKey, planKeyToRead } from '../engine/state/plan-key.ts';
import type { Loaded } from '../planner/load/load.ts';
import { checkDefinition, checkPlan, planFileText, planSizeLimit, readPlanFile } from '../planner/plan/file.ts';
import type { ReconcileOptions } from '../planner/reconcile/options.ts';
import { asStackError, StackError } from '../schemas/errors.ts';
import type { Plan } from '../schemas/plan.ts';
import type { PlanFile } from '../schemas/plan-file.ts';
import type { Project } from '../schemas/project.ts';
import type { Snapshot } from '../schemas/snapshot.ts';
import { lockPath } from './lock/file.ts';

interface Made {
  loaded: Loaded;
  /** As planned: with the digests of the lock where it is frozen. */
  project: Project;
  snapshot: Snapshot;
  options: ReconcileOptions;
  frozen: boolean;
}

/** Readable for its owner only: it tells names of images, networks and services. @throws StackError plan.file */
export function writePlan(file: string, plan: Plan, made: Made, { host }: Engine): void {
  const { loaded, project, snapshot, frozen } = made;
  const { action: _, disabledServices: _disabled, pulled: _pulled, ...options } = made.options;
  const basis = { project, snapshot, inputs: inputsOf(loaded, plan.operations) };
  const kept = { ...options, ...(frozen ? { frozen } : {}) };
  const text = planFileText(plan, basis, kept, new Date().toISOString(), planKey(host.layout));
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const before = lstatSync(file, { throwIfNoEntry: false });
    if (before && !before.isFile()) throw new Error('there is something that is no file');
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw asStackError(undefined, 'plan.file', {
      message: `The plan cannot be written to ${file}: ${code ?? message}.`,
      hint: 'Name a file in a folder that exists and that you may write to.',
    });
  }
}

/** By service that is built, where the plan builds anything. */
function inputsOf(loaded: Loaded, operations: { id: string }[]): Record<string, string> {
  const builds = operations.some(({ id }) => id.startsWith('build image '));
  return builds ? buildInputs(loaded.project.services, lockPath(loaded)) : {};
}

/** @throws StackError plan.file */
export function readPlan(file: string, { host }: Engine): PlanFile {
  return readPlanFile(textOf(file), file, planKeyToRead(host.layout));
}

function textOf(file: string): string {
  const refuse = (why: string) =>
    new StackError('plan.file', {
      message: `The plan ${file} cannot be read: ${why}.`,
      hint: 'Name a file that `stack plan -o FILE` wrote.',
    });
  let fd: number;
  try {
    // A pipe of that name is not waited for.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    throw refuse((thrown as NodeJS.ErrnoException).code ?? 'unknown');
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refuse('it is no file');
    if (stat.size > planSizeLimit) throw refuse(`it is larger than ${planSizeLimit} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/**
 * What `up` does to keep to the plan: options as they were, and a look at what is about to be done.
 * @throws StackError plan.moved where the stack file says something else now
 */
export function follow(
  file: PlanFile,
  { loaded, project }: Pick<Made, 'loaded' | 'project'>,
  { host }: Engine,
): { options: ReconcileOptions; inspect: NonNullable<Run['inspect']> } {
  checkDefinition(file, { project, inputs: inputsOf(loaded, file.operations) }, planKeyToRead(host.layout));
  const { frozen: _, ...options } = file.options;
  return {
    options: { action: 'up', ...options, disabledServices: Object.keys(loaded.disabled) } as ReconcileOptions,
    inspect: (found, plan, isAfterPulls) => checkPlan(file, found, plan, isAfterPulls),
  };
}
