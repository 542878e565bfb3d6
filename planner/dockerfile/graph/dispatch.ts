/** Carries one instruction of a stage through, by its kind. */
import type { InstructionText, StageInstruction } from '../../../schemas/dockerfile.ts';
import { nearest } from '../../load/suggest.ts';
import { ExpansionError, expand } from '../expand.ts';
import { refuse } from '../site.ts';
import { dispatchArg, dispatchEnv, dispatchLabel } from './assign.ts';
import { dispatchCmd, dispatchEntrypoint, dispatchHealthcheck, dispatchShell } from './commands.ts';
import { dispatchFiles } from './copy.ts';
import { dispatchExpose } from './expose.ts';
import { dispatchOnbuild, dispatchText, dispatchVolume } from './metadata.ts';
import { dispatchRun } from './run.ts';
import { rangeOf, type Session } from './session.ts';
import type { Stages } from './stage.ts';
import type { StageState } from './state.ts';
import type { VertexMeta } from './vertices.ts';

export interface Step {
  session: Session;
  stages: Stages;
  /** Number of the stage. */
  index: number;
  state: StageState;
  /** The stage's label; empty where the only stage has no name. */
  stage: string;
  /** `[build 2/4] `. */
  prefix: string;
  ignoreCache: boolean;
}

/** Whether an instruction makes a vertex and so has a number. */
export function isStep({ kind }: StageInstruction): boolean {
  return kind === 'run' || kind === 'copy' || kind === 'add' || kind === 'workdir';
}

/** @throws StackError what is wrong with the instruction */
export async function dispatch(instruction: StageInstruction, step: Step): Promise<void> {
  switch (instruction.kind) {
    case 'env':
      return dispatchEnv(instruction, step);
    case 'label':
      return dispatchLabel(instruction, step);
    case 'arg':
      return dispatchArg(instruction, step);
    case 'run':
      return dispatchRun(instruction, step);
    case 'copy':
    case 'add':
      return dispatchFiles(instruction, step);
    case 'cmd':
      return dispatchCmd(instruction, step);
    case 'entrypoint':
      return dispatchEntrypoint(instruction, step);
    case 'healthcheck':
      return dispatchHealthcheck(instruction, step);
    case 'shell':
      return dispatchShell(instruction, step);
    case 'expose':
      return dispatchExpose(instruction, step);
    case 'volume':
      return dispatchVolume(instruction, step);
    case 'onbuild':
      return dispatchOnbuild(instruction, step);
    default:
      return dispatchText(instruction, step);
  }
}

/**
 * `word` with the stage's variables, quotes taken off.
 * @throws StackError `build.value`
 */
export function expandIn({ session, state }: Step, source: InstructionText, word: string, isText = false): string {
  try {
    const options = isText ? { escape: '\\' as const, plainQuotes: true } : { escape: session.tree.escape };
    const { value, unset } = expand(word, state.env, options);
    for (const name of unset) noteUnset(session, state, source, name);
    return value;
  } catch (thrown) {
    if (!(thrown instanceof ExpansionError)) throw thrown;
    refuse(source, `${thrown.message}.`, { word, code: 'build.value' });
  }
}

export function noteUnset({ checks }: Session, state: StageState, source: InstructionText, name: string): void {
  if (state.args.has(name) || /^BUILDKIT_SBOM_SCAN_(?:CONTEXT|STAGE)$/.test(name)) return;
  const meant = nearest(name, state.env.keys());
  const hint = meant ? ` Did you mean ${meant}?` : '';
  checks.report('UndefinedVar', source, `$${name} is used and not defined.${hint}`, name);
}

/** Name of an instruction's vertex: its text with the variables that are set. */
export function titleOf(step: Step, source: InstructionText, suffix = '', hidden: Set<string> = new Set()): string {
  const { state, session, prefix } = step;
  const variables = { get: (name: string) => (hidden.has(name) ? '****' : state.env.get(name)) };
  const written = source.text.trim().replace(/^\S+/, (keyword) => keyword.toUpperCase());
  let text = written;
  try {
    text = expand(written, variables, { escape: session.tree.escape, rawQuotes: true, keepUnset: true }).value;
  } catch (thrown) {
    if (!(thrown instanceof ExpansionError)) throw thrown;
  }
  return `${prefix}${text}${suffix}`;
}

export function metaOf(step: Step, source: InstructionText, name: string): VertexMeta {
  const { stage, ignoreCache } = step;
  return {
    name,
    where: rangeOf(source),
    ...(stage === '' ? {} : { stage }),
    ...(ignoreCache ? { ignoreCache: true as const } : {}),
  };
}
