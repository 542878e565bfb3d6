/**
 * Where an image comes from, as a predicate of SLSA provenance. Source: slsa.dev provenance v1 and v0.2; fields follow BuildKit's
 * slsa-definitions.md, extensions included, under names of our own where the content is.
 */
import type { BuildGraph, BuildResult, BuildSettings, Vertex } from '../../../schemas/build.ts';
import type { Descriptor } from '../../../schemas/oci-image.ts';
import { showPlatform } from '../../images/platform.ts';
import { type Dependency, dependenciesOf, neededFor, withoutSecrets } from './dependencies.ts';
import type { ProvenanceOptions } from './options.ts';

export interface Built {
  graph: BuildGraph;
  result: BuildResult;
  settings: BuildSettings;
  /** The Dockerfile: its path in the context, and where the context was fetched from. */
  config: { path?: string } & Partial<Dependency>;
  /** Texts of Dockerfiles by the file that positions name. */
  texts: Map<string, string>;
  checksums: Map<string, Record<string, string>>;
  /** The layers each step added to the image, by vertex. */
  layers: Map<string, Descriptor[]>;
  invocation: string;
  /** RFC 3339. */
  startedOn: string;
  finishedOn: string;
}

const buildType = 'urn:stack:build:v1';

/** `predicateType` and `predicate` of an in-toto statement. */
export function provenanceOf(built: Built, options: ProvenanceOptions): { predicateType: string; predicate: object } {
  return options.version === 'v1' ? v1(built, options) : v02(built, options);
}

function v1(built: Built, options: ProvenanceOptions) {
  const { vertices, request, dependencies, isHermetic, isComplete, builderPlatform } = factsOf(built, options);
  const isWhole = options.mode === 'max';
  const metadata = {
    invocationID: built.invocation,
    startedOn: built.startedOn,
    finishedOn: built.finishedOn,
    stack_hermetic: isHermetic,
    stack_completeness: { request: isWhole, resolvedDependencies: isComplete },
    stack_reproducible: options.isReproducible,
    ...(isWhole ? { stack_metadata: { source: sourceOf(built, vertices), layers: layersOf(built, vertices) } } : {}),
  };
  return {
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: { configSource: built.config, request },
        internalParameters: { builderPlatform, ...(isWhole ? { buildConfig: { steps: stepsOf(vertices) } } : {}) },
        resolvedDependencies: dependencies,
      },
      runDetails: { builder: { id: options.builderId }, metadata },
    },
  };
}

function v02(built: Built, options: ProvenanceOptions) {
  const { vertices, request, dependencies, isHermetic, isComplete, builderPlatform } = factsOf(built, options);
  const isWhole = options.mode === 'max';
  const { path, ...source } = built.config;
  return {
    predicateType: 'https://slsa.dev/provenance/v0.2',
    predicate: {
      builder: { id: options.builderId },
      buildType,
      invocation: {
        configSource: { ...source, ...(path === undefined ? {} : { entryPoint: path }) },
        parameters: request,
        environment: { platform: builderPlatform },
      },
      materials: dependencies,
      metadata: {
        buildInvocationID: built.invocation,
        buildStartedOn: built.startedOn,
        buildFinishedOn: built.finishedOn,
        completeness: { parameters: isWhole, environment: true, materials: isComplete },
        reproducible: options.isReproducible,
        stack_hermetic: isHermetic,
        ...(isWhole
          ? { stack_metadata: { source: sourceOf(built, vertices), layers: layersOf(built, vertices) } }
          : {}),
      },
      ...(isWhole ? { buildConfig: { steps: stepsOf(vertices) } } : {}),
    },
  };
}

function factsOf({ graph, result, settings, checksums }: Built, { mode }: ProvenanceOptions) {
  const vertices = neededFor(graph, result.vertex);
  const isLocal = vertices.some(({ operation }) => operation.kind === 'source.context');
  const args: Record<string, string> = {};
  if (settings.target) args.target = settings.target;
  if (mode === 'max') {
    for (const [name, value] of Object.entries(settings.args)) if (!isProxy(name)) args[`build-arg:${name}`] = value;
    for (const [name, value] of Object.entries(settings.labels)) args[`label:${name}`] = value;
  }
  const named = (ids: Record<string, { required: boolean }>) =>
    Object.entries(ids).map(([id, { required }]) => ({ id, ...(required ? {} : { optional: true }) }));
  return {
    vertices,
    request: {
      frontend: 'dockerfile.v0',
      args,
      ...(mode === 'max' ? { secrets: named(graph.secrets), ssh: named(graph.ssh) } : {}),
      locals: isLocal ? [{ name: 'context' }] : [],
    },
    dependencies: dependenciesOf(vertices, { checksums }),
    isHermetic: !vertices.some(({ operation }) => operation.kind === 'run' && operation.network !== 'none'),
    isComplete: !isLocal,
    builderPlatform: showPlatform({ os: settings.buildPlatform.os, architecture: settings.buildPlatform.architecture }),
  };
}

/** Proxies carry passwords, and change nothing of the result. */
const isProxy = (name: string) => /^(?:https?|ftp|no|all)_proxy$/i.test(name);

/** Vertices as what they do, numbered; where files lie on this machine stays here. */
function stepsOf(vertices: Vertex[]): object[] {
  const numbers = new Map(vertices.map(({ id }, at) => [id, `step${at}`]));
  return vertices.map(({ id, operation, inputs }) => {
    const { location: _, ...shown } = operation as Vertex['operation'] & { location?: string };
    if (operation.kind === 'source.image' && operation.reference.startsWith('oci-layout://')) {
      Object.assign(shown, { reference: 'oci-layout:' });
    }
    if (operation.kind === 'source.git') Object.assign(shown, { remote: withoutSecrets(operation.remote) });
    if (operation.kind === 'source.http') Object.assign(shown, { url: withoutSecrets(operation.url) });
    return { id: numbers.get(id), op: shown, inputs: inputs.map((input) => numbers.get(input)) };
  });
}

function sourceOf({ texts }: Built, vertices: Vertex[]): object {
  const files = [...new Set(vertices.map(({ where }) => where.file))].filter((file) => texts.has(file));
  const locations = vertices.flatMap(({ where }, at) => {
    const file = files.indexOf(where.file);
    const ranges = [{ start: { line: where.start }, end: { line: where.end } }];
    return file < 0 ? [] : [[`step${at}`, { locations: [{ source: file, ranges }] }] as const];
  });
  return {
    locations: Object.fromEntries(locations),
    infos: files.map((file) => ({
      filename: file.replace(/^.*\//, ''),
      language: 'Dockerfile',
      data: Buffer.from(texts.get(file)!).toString('base64'),
    })),
  };
}

function layersOf({ layers }: Built, vertices: Vertex[]): object {
  const found = vertices.flatMap(({ id }, at) => (layers.has(id) ? [[`step${at}`, layers.get(id)] as const] : []));
  return Object.fromEntries(found);
}
