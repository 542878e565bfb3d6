/**
 * A Dockerfile and what is asked of it as a graph of work: only what the target needs, equal work once. Pure: images and
 * services are looked up through the functions it is handed. Source: Dockerfile reference; BuildKit's dockerfile2llb.
 */
import type { BuildGraph, BuildResult } from '../../../schemas/build.ts';
import type { Dockerfile } from '../../../schemas/dockerfile.ts';
import { type Result, StackError } from '../../../schemas/errors.ts';
import type { ImageConfig, Platform } from '../../../schemas/oci-image.ts';
import { Problems } from '../../load/problems.ts';
import { define } from '../../load/read.ts';
import { Checks, readCheckOptions } from '../checks/checks.ts';
import { checkDefaultImages } from '../checks/from.ts';
import { checkTree } from '../checks/tree.ts';
import { globalArguments, isBuilderArgument, proxyArguments } from './arguments.ts';
import { epochOf } from './epoch.ts';
import type { BuildRequest, Session } from './session.ts';
import { Stages } from './stage.ts';
import { hasCycle, targetStage } from './stages.ts';
import type { StageState } from './state.ts';
import { Vertices } from './vertices.ts';

export type { BuildRequest } from './session.ts';

/** All problems of one run; what checks find are warnings, or errors where the Dockerfile says `check=error=true`. */
export async function buildGraph(request: BuildRequest): Promise<Result<BuildGraph>> {
  const { tree, settings } = request;
  const problems = new Problems();
  const written = settings.args.BUILDKIT_DOCKERFILE_CHECK ?? tree.directives.check ?? '';
  const options = readCheckOptions(written);
  const checks = new Checks(options);
  if (written !== '') {
    const where = { file: tree.file, line: 1, column: 1 };
    for (const message of options.problems) problems.warn('build.check', { message, where });
  }
  checkTree(tree, checks);
  const vertices = new Vertices();
  const shared = { ...request, vertices, problems, checks, secrets: {}, ssh: {}, entitlements: new Set<string>() };
  const platforms = settings.platforms.length > 0 ? settings.platforms : [settings.buildPlatform];
  const results: BuildResult[] = [];
  for (const platform of platforms) {
    // The same mistake shows on every platform: the first tells it.
    if (problems.errors.length > 0) break;
    const result = await attempt(problems, () => buildPlatform(shared, platform));
    if (result) results.push(result);
  }
  noteUnused(request, problems);
  noteSyntax(tree, problems);
  const { errors, warnings } = problems.sorted();
  if (options.error) errors.push(...checks.found);
  else warnings.push(...checks.found);
  if (errors.length > 0) return { ok: false, errors, warnings };
  const graph: BuildGraph = {
    vertices: vertices.neededFor(results.map(({ vertex }) => vertex)),
    results,
    secrets: shared.secrets,
    ssh: shared.ssh,
    entitlements: [...shared.entitlements].sort(),
  };
  return { ok: true, value: graph, warnings };
}

async function attempt<T>(problems: Problems, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (thrown) {
    if (!(thrown instanceof StackError)) throw thrown;
    problems.errors.push(thrown);
    return undefined;
  }
}

type Shared = Omit<Session, 'platform' | 'globals' | 'proxy' | 'epoch'>;

async function buildPlatform(shared: Shared, platform: Platform): Promise<BuildResult | undefined> {
  const { tree, settings, problems, checks } = shared;
  const note = (thrown: unknown) => {
    if (!(thrown instanceof StackError)) throw thrown;
    problems.errors.push(thrown);
  };
  const globals = globalArguments(tree, settings, platform, settings.args, note);
  const epoch = epochOf(tree, settings, globals);
  const session: Session = { ...shared, platform, globals, epoch, proxy: proxyArguments(settings.args) };
  checkDefaultImages(tree, settings, platform, checks);
  if (hasCycle(session)) return undefined;
  const target = targetStage(tree, settings.target);
  const stages = new Stages(session);
  if (shared.everyStage) await Promise.all(tree.stages.map((_, index) => stages.stage(index)));
  const state = await stages.stage(target);
  if (!state) return undefined;
  const stage = tree.stages[target]!.from.name;
  return {
    platform,
    vertex: state.vertex,
    ...(stage === undefined ? {} : { stage }),
    config: finalConfig(state, session),
    steps: state.steps,
    ...(state.base === undefined ? {} : { base: state.base }),
    ...(epoch === undefined ? {} : { epoch }),
  };
}

function finalConfig(state: StageState, { settings, platform }: Session): ImageConfig {
  const config = structuredClone(state.config);
  const labels = config.Labels ?? {};
  for (const [key, value] of Object.entries(settings.labels)) define(labels, key, value);
  const { os, architecture, variant } = settings.platforms.length > 0 ? platform : state.platform;
  const { variant: _, ...image } = state.image;
  const whole = Object.keys(labels).length > 0 ? { ...config, Labels: labels } : { ...config };
  return { ...image, os, architecture, ...(variant ? { variant } : {}), config: whole };
}

/** Another frontend than docker's cannot be run: the file is read as a Dockerfile all the same. */
function noteSyntax({ file, directives: { syntax } }: Dockerfile, problems: Problems): void {
  if (syntax === undefined || /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@]|$)/.test(syntax)) return;
  const message = `The syntax ${syntax} is not used: Dockerfiles are read by this program itself.`;
  const hint = 'If it stands for another language, the build will not do what is meant.';
  problems.warn('build.not-supported', { message, hint, where: { file, line: 1, column: 1 } });
}

/** A value for an ARG that no instruction declares changes nothing, which is hardly what was meant. */
function noteUnused({ tree, settings }: BuildRequest, problems: Problems): void {
  const declared = new Set<string>();
  for (const { args } of tree.args) for (const { key } of args) declared.add(key);
  for (const { instructions } of tree.stages) {
    for (const instruction of instructions) {
      if (instruction.kind === 'arg') for (const { key } of instruction.args) declared.add(key);
      // A trigger may declare it; whether it runs is for another build to know.
      if (instruction.kind === 'onbuild') return;
    }
  }
  const builtIn = /^(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$|^TARGETSTAGE$/;
  const unused = Object.keys(settings.args).filter(
    (name) => !declared.has(name) && !isBuilderArgument(name) && !builtIn.test(name),
  );
  for (const name of unused) {
    const where = { file: tree.file, line: 1, column: 1 };
    const message = `The build argument ${name} is given, but no ARG declares it.`;
    problems.warn('build.check', { message, where, hint: `Add ARG ${name} to the stage that uses it.` });
  }
}
