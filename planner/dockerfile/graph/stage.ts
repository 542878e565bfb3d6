/** One stage carried through: its base, the triggers of the base, its instructions. */
import type { FromInstruction, StageInstruction } from '../../../schemas/dockerfile.ts';
import { StackError } from '../../../schemas/errors.ts';
import type { Platform } from '../../../schemas/oci-image.ts';
import { parsePlatform, showPlatform } from '../../images/platform.ts';
import { checkPlatformFlag } from '../checks/from.ts';
import { ExpansionError, expand } from '../expand.ts';
import { placeOf, refuse } from '../site.ts';
import { dispatch, isStep } from './dispatch.ts';
import { contextNamed, contextState, imageState, type Naming } from './images.ts';
import { readTriggers } from './onbuild.ts';
import type { Session } from './session.ts';
import { labelOf, stageBefore, stageFrom } from './stages.ts';
import { deriveState, type StageState } from './state.ts';

function located(error: StackError, { source }: StageInstruction): StackError {
  if (error.where) return error;
  return new StackError(error.code, { ...error, message: error.message, where: placeOf(source) });
}

/** `linux/arm64`, or `linux/amd64->arm64` for a stage that works for another platform than its own; as docker shows them. */
function showCrossing(own: Platform, target: Platform): string {
  if (showPlatform(own) === showPlatform(target)) return showPlatform(own);
  const { os: _, ...rest } = target;
  return `${showPlatform(own)}->${own.os === target.os ? showPlatform({ os: '', ...rest }) : showPlatform(target)}`;
}

/** Stages of one platform, each made once and when it is asked for. */
export class Stages {
  readonly session: Session;
  #made: Promise<StageState | undefined>[] = [];

  constructor(session: Session) {
    this.session = session;
  }

  /** The finished stage; undefined where something is wrong with it, which is noted then. */
  stage(index: number): Promise<StageState | undefined> {
    this.#made[index] ??= this.#guarded(index);
    return this.#made[index];
  }

  async #guarded(index: number): Promise<StageState | undefined> {
    // Thousands of stages on each other must not be thousands of calls inside each other.
    await undefined;
    try {
      return await this.#make(index);
    } catch (thrown) {
      if (!(thrown instanceof StackError)) throw thrown;
      this.session.problems.errors.push(thrown);
      return undefined;
    }
  }

  async #make(index: number): Promise<StageState | undefined> {
    const { session } = this;
    const { tree, problems, settings } = session;
    const { from, instructions } = tree.stages[index]!;
    const label = tree.stages.length === 1 && from.name === undefined ? '' : labelOf(tree.stages[index]!, index);
    const platform = this.#platform(from);
    const image = this.#expand(from, from.image, 'image');
    if (image === '') refuse(from.source, `FROM ${from.image} is empty after expansion.`, { word: from.image });

    const replaced = from.name === undefined ? undefined : contextNamed(session, from.name);
    if (replaced !== undefined) {
      const naming = { source: from.source, prefix: '', stage: label };
      return contextState(session, from.name!, replaced, platform ?? session.platform, naming);
    }
    const parent = contextNamed(session, image) === undefined ? stageBefore(tree, image, index) : undefined;
    // What a stage takes from others begins at once, so that images are resolved side by side.
    const triggersUnknown = instructions.flatMap((instruction) => this.#stagesOf(instruction, index));
    for (const other of triggersUnknown) void this.stage(other).catch(() => {});

    const shown =
      settings.platforms.length > 1 ? `${showCrossing(platform ?? session.platform, session.platform)} ` : '';
    const pulls = parent === undefined && image !== 'scratch' ? 1 : 0;
    const count = (list: StageInstruction[]) => list.filter(isStep).length;
    const name = (step: number, total: number) =>
      `[${shown}${label === '' ? '' : `${label} `}${String(step).padStart(String(total).length)}/${total}] `;
    let total = count(instructions) + pulls;
    const naming: Naming = { source: from.source, prefix: name(1, total), ...(label === '' ? {} : { stage: label }) };
    const base =
      parent === undefined
        ? await imageState(session, image, platform ?? session.platform, naming, this.#names())
        : await this.stage(parent);
    if (!base) return undefined;
    const state = deriveState(base);
    const triggers = parent === undefined ? (base.config.OnBuild ?? []) : base.triggers;
    const inherited = readTriggers(triggers, from, image);
    total += count(inherited);
    const { noCache, noCacheFilter } = settings;
    const ignoreCache = noCache || noCacheFilter.some((filter) => filter.toLowerCase() === (from.name ?? ''));
    let step = pulls;
    let isWhole = true;
    for (const [position, instruction] of [...inherited, ...instructions].entries()) {
      const number = isStep(instruction) ? ++step : step;
      const trigger = position < inherited.length ? 'ONBUILD ' : '';
      try {
        await dispatch(instruction, {
          session,
          stages: this,
          index,
          state,
          stage: label,
          prefix: name(number, total) + trigger,
          ignoreCache,
        });
      } catch (thrown) {
        if (!(thrown instanceof StackError)) throw thrown;
        problems.errors.push(located(thrown, instruction));
        isWhole = false;
        // What goes wrong without a place of its own goes wrong again with the next instruction.
        if (!thrown.where) break;
      }
    }
    return isWhole ? state : undefined;
  }

  #names(): string[] {
    return this.session.tree.stages.flatMap(({ from }) => from.name ?? []);
  }

  #stagesOf(instruction: StageInstruction, at: number): number[] {
    const name = instruction.kind === 'copy' ? instruction.from : undefined;
    if (name === undefined || contextNamed(this.session, name) !== undefined) return [];
    try {
      return [stageFrom(this.session.tree, name, at, instruction.source) ?? []].flat();
    } catch {
      return [];
    }
  }

  #expand(from: FromInstruction, written: string, what: string): string {
    const { tree, globals, checks } = this.session;
    try {
      const { value, unset } = expand(written, globals, { escape: tree.escape });
      const declared = new Set(tree.args.flatMap(({ args }) => args.map(({ key }) => key)));
      for (const name of unset) {
        if (declared.has(name)) continue;
        checks.report('UndefinedArgInFrom', from.source, `FROM uses ${name}, which no ARG before it declares.`, name);
      }
      return value;
    } catch (thrown) {
      if (!(thrown instanceof ExpansionError)) throw thrown;
      refuse(from.source, `The ${what} of FROM: ${thrown.message}.`, { word: written, code: 'build.value' });
    }
  }

  #platform(from: FromInstruction): Platform | undefined {
    if (from.platform === undefined) return undefined;
    checkPlatformFlag(from, this.session.globals, this.session.checks, this.session.tree.escape);
    const value = this.#expand(from, from.platform, 'platform');
    if (value === '') refuse(from.source, `FROM --platform=${from.platform} is empty.`, { word: from.platform });
    try {
      return parsePlatform(value);
    } catch (thrown) {
      const hint = 'A platform reads os/architecture[/variant], as in linux/arm64.';
      const why = { word: from.platform, hint, code: 'build.value', cause: thrown } as const;
      refuse(from.source, `FROM --platform=${value} is no platform.`, why);
    }
  }
}
