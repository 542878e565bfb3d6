/** A stage under way: its tree so far, what its image is configured to be, and the variables in scope. */
import type { BuildResult, HistoryEntry, VertexId } from '../../../schemas/build.ts';
import { StackError } from '../../../schemas/errors.ts';
import type { ImageConfig, Platform } from '../../../schemas/oci-image.ts';

/** Docker's configuration with every field this room writes. */
export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Record<string, unknown> | null;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, unknown> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Healthcheck?: {
    Test: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    StartInterval?: number;
    Retries?: number;
  } | null;
  Shell?: string[] | null;
  OnBuild?: string[] | null;
}

/** https://docs.docker.com/reference/dockerfile: what PATH is where the base image has none. */
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface StageState {
  vertex: VertexId;
  platform: Platform;
  image: ImageConfig;
  config: ContainerConfig;
  /** What RUN sees: the image's, ENV, and ARG. */
  env: Map<string, string>;
  /** ARG in scope, whether it has a value or not, in the order of declaration. */
  args: Map<string, string | undefined>;
  steps: BuildResult['steps'];
  /** Characters of the history so far. */
  historySize: number;
  base?: VertexId;
  /** A WORKDIR was written, here or in a stage below: relative ones are relative to it. */
  hasWorkdir: boolean;
  /** CMD was written in this stage. */
  cmdSet: boolean;
  /** Triggers written in this stage, for stages that build on it. */
  triggers: string[];
}

/** The state a stage begins with. `image` is not changed. */
export function beginState(
  vertex: VertexId,
  platform: Platform,
  image: ImageConfig,
  from: { base?: VertexId; steps?: BuildResult['steps'] } = {},
): StageState {
  const { created: _, config, ...rest } = structuredClone(image);
  const own = (config ?? {}) as ContainerConfig;
  const env = new Map<string, string>();
  own.Env ??= [];
  if (!own.Env.some((entry) => entry.startsWith('PATH='))) own.Env.push(defaultPath);
  for (const entry of own.Env) setLast(env, ...splitEntry(entry));
  return {
    vertex,
    platform,
    image: rest,
    config: own,
    env,
    args: new Map(),
    steps: [...(from.steps ?? [])],
    historySize: 0,
    ...(from.base ? { base: from.base } : {}),
    hasWorkdir: false,
    cmdSet: false,
    triggers: [],
  };
}

/** The state of a stage that builds on another: ARG stays in scope, triggers do not carry over. */
export function deriveState(parent: StageState): StageState {
  const config = structuredClone(parent.config);
  delete config.OnBuild;
  return {
    ...parent,
    config,
    env: new Map(parent.env),
    args: new Map(parent.args),
    steps: [...parent.steps],
    cmdSet: false,
    triggers: [],
  };
}

export function emptyImage(platform: Platform): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant ? { variant: platform.variant } : {}),
    config: { Env: [defaultPath], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [] },
  };
}

export function splitEntry(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** A variable set again moves to the end, as BuildKit orders the environment. */
export function setLast(env: Map<string, string>, key: string, value: string): void {
  env.delete(key);
  env.set(key, value);
}

const comment = 'buildkit.dockerfile.v0';

/** Longest history, in characters: registries take no larger configuration. */
const longestHistory = 4 << 20;

/** Adds a history entry; with `vertex` it is a layer. @throws StackError `build.value` where the history grows too long */
export function addStep(state: StageState, text: string, vertex?: VertexId): void {
  state.historySize += text.length;
  if (state.historySize > longestHistory) {
    const message = `The history of the image is longer than ${longestHistory} characters.`;
    throw new StackError('build.value', { message, hint: 'Split the Dockerfile, or shorten its values.' });
  }
  const entry: HistoryEntry = { created_by: text, comment, ...(vertex ? {} : { empty_layer: true }) };
  state.steps.push({ entry, ...(vertex ? { vertex } : {}) });
}
