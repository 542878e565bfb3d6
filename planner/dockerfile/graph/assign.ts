/** ENV, LABEL and ARG. Source: Dockerfile reference, "ENV", "LABEL", "ARG". */
import type { ArgInstruction, EnvInstruction, LabelInstruction } from '../../../schemas/dockerfile.ts';
import { define } from '../../load/read.ts';
import { expandIn, type Step } from './dispatch.ts';
import { addStep, setLast, splitEntry } from './state.ts';

/** All values of one ENV see the variables as they were before it. */
export function dispatchEnv({ pairs, source }: EnvInstruction, step: Step): void {
  const { state } = step;
  const expanded = pairs.map(({ key, value }) => [expandIn(step, source, key), expandIn(step, source, value)] as const);
  state.config.Env ??= [];
  const env = state.config.Env;
  for (const [key, value] of expanded) {
    setLast(state.env, key, value);
    const known = env.findIndex((entry) => splitEntry(entry)[0] === key);
    if (known === -1) env.push(`${key}=${value}`);
    else env[known] = `${key}=${value}`;
  }
  addStep(state, `ENV ${expanded.map(([key, value]) => `${key}=${value}`).join(' ')}`);
}

export function dispatchLabel({ pairs, source }: LabelInstruction, step: Step): void {
  const { state } = step;
  const expanded = pairs.map(({ key, value }) => [expandIn(step, source, key), expandIn(step, source, value)] as const);
  state.config.Labels ??= {};
  for (const [key, value] of expanded) define(state.config.Labels, key, value);
  addStep(state, `LABEL ${expanded.map(([key, value]) => `${key}=${value}`).join(' ')}`);
}

/** The value handed in wins over the default, the default over a value from before the first FROM. */
export function dispatchArg({ args, source }: ArgInstruction, step: Step): void {
  const { state, session } = step;
  const given = session.settings.args;
  const shown = args.map(({ key, value: written }) => {
    let value: string | undefined;
    if (Object.hasOwn(given, key)) value = given[key]!;
    else if (written !== undefined) value = expandIn(step, source, written);
    else value = session.globals.get(key);
    const isForScanner = key === 'BUILDKIT_SBOM_SCAN_CONTEXT' || key === 'BUILDKIT_SBOM_SCAN_STAGE';
    if (value !== undefined && !isForScanner) setLast(state.env, key, value);
    state.args.set(key, value);
    return value === undefined ? key : `${key}=${value}`;
  });
  addStep(state, `ARG ${shown.join(' ')}`);
}
