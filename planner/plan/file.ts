/** The plan file: written, read, and held against what is to be done now. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { $ZodIssue } from 'zod/v4/core';
import { StackError } from '../../schemas/errors.ts';
import type { Plan } from '../../schemas/plan.ts';
import { type PlanFile, type PlanFileOptions, planFile } from '../../schemas/plan-file.ts';
import type { Project } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { issueText } from '../issues.ts';
import { definitionOf, movedDefinition, movedWorld, sorted, worldOf } from './world.ts';

/** Bytes. A stack of ten thousand services fits. */
export const planSizeLimit = 64 * 1024 * 1024;

/** What a plan was made from. */
export interface PlanBasis {
  project: Project;
  snapshot: Snapshot;
  /** By service that the plan builds, the digest of what it is built from. */
  inputs: Record<string, string>;
}

/** `key`: the machine's own, which never leaves it. */
export function planFileText(
  plan: Plan,
  { project, snapshot, inputs }: PlanBasis,
  options: PlanFileOptions,
  createdAt: string,
  key: Buffer,
): string {
  const body = {
    format: 'stack-plan' as const,
    version: 1 as const,
    stack: plan.stack,
    createdAt,
    options,
    definition: definitionOf(project, inputs, key),
    world: worldOf(snapshot),
    operations: operationsOf(plan),
  };
  return `${JSON.stringify({ ...body, signature: signatureOf(body, key) }, null, 2)}\n`;
}

const operationsOf = (plan: Plan) => plan.operations.map(({ id, needs }) => ({ id, needs }));

const signatureOf = (body: Omit<PlanFile, 'signature'>, key: Buffer) =>
  createHmac('sha256', key)
    .update(JSON.stringify(sorted(body)))
    .digest('hex');

/** @throws StackError plan.file for a file that `stack plan` on this machine did not write, or that was changed since */
export function readPlanFile(text: string, file: string, key: Buffer): PlanFile {
  const refuse = (why: string, hint = `Make a new one: \`stack plan -o ${file}\`.`): never => {
    throw new StackError('plan.file', { message: `${file} is no plan that can be applied here: ${why}.`, hint });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse('it is not JSON', 'It is a file that `stack plan -o FILE` writes, not what `stack plan --json` prints.');
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format !== 'stack-plan') {
    refuse('it is another kind of file', 'It is a file that `stack plan -o FILE` writes, not what `--json` prints.');
  }
  if (typeof version === 'number' && version > 1) {
    refuse(`a later version of Stack wrote it (version ${version})`);
  }
  const parsed = planFile.safeParse(value);
  if (!parsed.success) return refuse(issueText(parsed.error.issues[0] as $ZodIssue));
  const { signature, ...body } = parsed.data;
  if (!timingSafeEqual(Buffer.from(signature, 'hex'), Buffer.from(signatureOf(body, key), 'hex'))) {
    refuse('it was made on another machine, or changed since');
  }
  return parsed.data;
}

/** @throws StackError plan.moved where the stack file says something else than when the plan was made */
export function checkDefinition(file: PlanFile, { project, inputs }: Omit<PlanBasis, 'snapshot'>, key: Buffer): void {
  if (file.stack !== project.name) {
    throw moved(file, [`it was made for the stack ${file.stack}, and this is ${project.name}`]);
  }
  const changes = movedDefinition(file.definition, definitionOf(project, inputs, key));
  if (changes.length > 0) throw moved(file, changes);
}

/**
 * `isAfterPulls`: images were pulled or built as planned, and the rest of the plan made anew from what they are.
 * @throws StackError plan.moved where the machine is not as it was, or something else would be done
 */
export function checkPlan(file: PlanFile, snapshot: Snapshot, plan: Plan, isAfterPulls: boolean): void {
  if (!isAfterPulls) {
    const changes = movedWorld(file.world, worldOf(snapshot));
    if (changes.length > 0) throw moved(file, changes);
  }
  const isFetch = (id: string) => /^(?:pull|build) image /.test(id);
  const line = ({ id, needs }: { id: string; needs: string[] }) =>
    JSON.stringify([id, isAfterPulls ? needs.filter((need) => !isFetch(need)) : needs]);
  const of = (operations: { id: string; needs: string[] }[]) =>
    new Set(operations.filter(({ id }) => !isAfterPulls || !isFetch(id)).map(line));
  const [planned, now] = [of(file.operations), of(operationsOf(plan))];
  const ids = (a: Set<string>, b: Set<string>) => [...a].filter((one) => !b.has(one)).map((one) => JSON.parse(one)[0]);
  const changes = [
    ...ids(now, planned).map((id) => `it would now also ${id}`),
    ...ids(planned, now).map((id) => `it would not ${id} any more`),
  ];
  if (changes.length === 0) return;
  throw moved(file, isAfterPulls ? ['an image that was pulled or built is another one', ...changes] : changes);
}

const mostShown = 8;

function moved({ createdAt }: PlanFile, changes: string[]): StackError {
  const shown = changes.slice(0, mostShown).join('; ');
  const more = changes.length > mostShown ? `; and ${changes.length - mostShown} more` : '';
  return new StackError('plan.moved', {
    message: `Since the plan was made (${createdAt}) something changed: ${shown}${more}.`,
    hint: 'Make a new plan with `stack plan -o FILE`, and look at it.',
  });
}
