/** VOLUME, ONBUILD, WORKDIR, USER, STOPSIGNAL, MAINTAINER. Source: Dockerfile reference. */
import type { OnbuildInstruction, TextInstruction, VolumeInstruction } from '../../../schemas/dockerfile.ts';
import { define } from '../../load/read.ts';
import { cleanPath } from '../ignore/pattern.ts';
import { refuse } from '../site.ts';
import { expandIn, metaOf, type Step, titleOf } from './dispatch.ts';
import { listed } from './gofmt.ts';
import { isSignal } from './signals.ts';
import { addStep } from './state.ts';

export function dispatchVolume({ paths, source }: VolumeInstruction, step: Step): void {
  const { config } = step.state;
  const expanded = paths.map((path) => expandIn(step, source, path));
  if (expanded.includes('')) refuse(source, 'A path of VOLUME is empty after expansion.', { code: 'build.value' });
  config.Volumes ??= {};
  for (const path of expanded) define(config.Volumes, path, {});
  addStep(step.state, `VOLUME ${listed(expanded)}`);
}

export function dispatchOnbuild({ trigger }: OnbuildInstruction, { state }: Step): void {
  state.config.OnBuild = [...(state.config.OnBuild ?? []), trigger];
  state.triggers.push(trigger);
}

export function dispatchText(instruction: TextInstruction, step: Step): void {
  const { kind, source } = instruction;
  const { state } = step;
  if (kind === 'workdir') dispatchWorkdir(instruction, step);
  else if (kind === 'maintainer') {
    state.image.author = instruction.value;
    addStep(state, `MAINTAINER ${instruction.value}`);
  } else if (kind === 'user') {
    state.config.User = expandIn(step, source, instruction.value);
    addStep(state, `USER ${state.config.User}`);
  } else dispatchStopsignal(instruction, step);
}

function dispatchStopsignal({ source, value: written }: TextInstruction, step: Step): void {
  const value = expandIn(step, source, written);
  if (!isSignal(value)) {
    const hint = 'It takes a name such as SIGTERM, or a number.';
    refuse(source, `STOPSIGNAL ${value} is no signal.`, { word: written, hint, code: 'build.value' });
  }
  step.state.config.StopSignal = value;
  addStep(step.state, `STOPSIGNAL ${value}`);
}

/** Makes the directory too, for the image's user; `/` is always there. */
function dispatchWorkdir({ value, source }: TextInstruction, step: Step): void {
  const { state, session } = step;
  const written = expandIn(step, source, value);
  if (!written.startsWith('/') && !state.hasWorkdir) {
    session.checks.report('WorkdirRelativePath', source, `WORKDIR ${written} is relative to the base image's.`, value);
  }
  state.hasWorkdir = true;
  // An absolute one stands in the configuration as it is written, unclean too; docker has it so.
  const isAbsolute = written.startsWith('/');
  state.config.WorkingDir = isAbsolute ? written : cleanPath(`/${state.config.WorkingDir ?? ''}/${written}`);
  const directory = cleanPath(state.config.WorkingDir);
  const history = `WORKDIR ${state.config.WorkingDir}`;
  if (directory === '/') {
    addStep(state, history);
    return;
  }
  const owner = state.config.User;
  const operation = { kind: 'mkdir' as const, path: directory, mode: 0o755, ...(owner ? { owner } : {}) };
  const meta = metaOf(step, source, titleOf(step, source));
  state.vertex = session.vertices.add(operation, [state.vertex], meta);
  addStep(state, history, state.vertex);
}
