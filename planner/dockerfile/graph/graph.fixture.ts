/** Graphs of small Dockerfiles, made with images that are not pulled. */
import type { BuildContext, BuildGraph, BuildSettings, BuildWorld, Operation, Vertex } from '../../../schemas/build.ts';
import { type Result, StackError } from '../../../schemas/errors.ts';
import type { ImageConfig, Platform } from '../../../schemas/oci-image.ts';
import { parseDockerfile } from '../parse.ts';
import { buildGraph } from './graph.ts';
import type { ContainerConfig } from './state.ts';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };

export const settings: BuildSettings = {
  args: {},
  platforms: [],
  buildPlatform: amd64,
  labels: {},
  network: 'default',
  noCache: false,
  noCacheFilter: [],
  hosts: [],
  ulimits: {},
  entitlements: [],
  privileged: false,
  contexts: {},
};

export interface Asked {
  settings?: Partial<BuildSettings>;
  context?: BuildContext;
  /** Configurations by normalised reference; an image that is not here does not exist. Without, every image exists. */
  images?: Record<string, ContainerConfig>;
  world?: Partial<BuildWorld>;
  everyStage?: boolean;
  /** References are noted here as they are resolved. */
  resolved?: string[];
}

function imageOf(config: ContainerConfig, platform: Platform): ImageConfig {
  const { os, architecture } = platform;
  const layer = `sha256:${'1'.repeat(64)}`;
  return { os, architecture, config: { ...config }, rootfs: { type: 'layers', diff_ids: [layer] } };
}

export async function graphOf(text: string, asked: Asked = {}): Promise<Result<BuildGraph>> {
  const parsed = parseDockerfile(text, 'Dockerfile');
  if (!parsed.ok) return parsed;
  const world: BuildWorld = {
    async resolveImage(reference, platform) {
      asked.resolved?.push(reference);
      const config = asked.images ? asked.images[reference] : {};
      if (!config) throw new StackError('image.not-found', { message: `Image ${reference} does not exist.` });
      return { digest: `sha256:${'a'.repeat(64)}`, config: imageOf(config, platform), platform };
    },
    ...asked.world,
  };
  return buildGraph({
    tree: parsed.value,
    settings: { ...settings, ...asked.settings },
    context: asked.context ?? { location: '/context', ignore: [] },
    world,
    ...(asked.everyStage ? { everyStage: true } : {}),
  });
}

export async function graphed(text: string, asked: Asked = {}): Promise<BuildGraph> {
  const result = await graphOf(text, asked);
  if (!result.ok) throw result.errors[0];
  return result.value;
}

/** `line: message` of every error. */
export async function errorsOf(text: string, asked: Asked = {}): Promise<string[]> {
  const result = await graphOf(text, asked);
  return result.ok ? [] : result.errors.map(({ where, message }) => `${where?.line}: ${message}`);
}

/** `line rule` of what checks find. */
export async function checksOf(text: string, asked: Asked = {}): Promise<string[]> {
  const result = await graphOf(text, { everyStage: true, ...asked });
  if (!result.ok) throw result.errors[0];
  return result.warnings.flatMap(({ where, operation }) => (operation ? [`${where?.line} ${operation}`] : []));
}

export async function configOf(text: string, asked: Asked = {}): Promise<ContainerConfig> {
  return (await graphed(text, asked)).results[0]!.config.config as ContainerConfig;
}

export async function historyOf(text: string, asked: Asked = {}): Promise<string[]> {
  return (await graphed(text, asked)).results[0]!.steps.map(({ entry }) => entry.created_by!);
}

/** The vertices of one kind, inputs first. */
export function ofKind<K extends Operation['kind']>(graph: BuildGraph, kind: K) {
  type Found = Vertex<Extract<Operation, { kind: K }>>;
  return Object.values(graph.vertices).filter(({ operation }) => operation.kind === kind) as Found[];
}
