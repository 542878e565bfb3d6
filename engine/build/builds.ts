/** Builds of the stack file's services: from a `build` section to an image of the store. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { buildGraph } from '../../planner/dockerfile/graph/graph.ts';
import { createIgnoreMatcher, ignoreFileNames, readIgnoreFile } from '../../planner/dockerfile/ignore/ignore.ts';
import { parseDockerfile } from '../../planner/dockerfile/parse.ts';
import type { BuildContext, BuildGraph, BuildSettings, BuildWorld } from '../../schemas/build.ts';
import type { Dockerfile } from '../../schemas/dockerfile.ts';
import { type Result, StackError } from '../../schemas/errors.ts';
import type { Platform, StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import type { Images } from '../images/images.ts';
import type { Lease } from '../images/leases.ts';
import { interruption } from '../images/locks.ts';
import { showPlatform } from '../images/platform.ts';
import type { Networks } from '../network/network.ts';
import { exportImage } from './export.ts';
import { Records } from './records.ts';
import { BuildSession } from './session.ts';
import { Solver } from './solve.ts';
import { type BuildEvent, layeredUnder } from './solving.ts';
import { Sources } from './sources.ts';

export type { BuildEvent } from './solving.ts';

export interface BuildRequest {
  /** Directory of the context. */
  context: string;
  /** Path of the Dockerfile, in the context or absolute. */
  dockerfile: string;
  /** Text of the Dockerfile instead of a file. */
  inline?: string | undefined;
  settings: BuildSettings;
  /** Ask the registries whether the base images still mean the same. */
  pull: boolean;
  /** Normalised names the image gets. */
  names: string[];
  secrets: Map<string, Buffer>;
  ssh: Map<string, string>;
  emit(event: BuildEvent): void;
  warn(error: StackError): void;
  signal: AbortSignal;
}

export interface Builds {
  /** Builds and tags. @throws a StackError; then nothing is tagged */
  build(request: BuildRequest): Promise<StoredImage>;
  /** Looks the Dockerfile over without building. */
  check(request: BuildRequest): Promise<Result<BuildGraph>>;
}

export function createBuilds(host: Host, images: Images, networks: () => Promise<Networks>): Builds {
  const folder = host.layout.build;
  const { store } = images;

  async function graphOf(request: BuildRequest, lease: Lease, resolved: Map<string, string[]>, everyStage: boolean) {
    const { settings, signal } = request;
    const tree = readDockerfile(request);
    const world: BuildWorld = {
      async resolveImage(reference, platform) {
        if (reference.startsWith('oci-layout://')) throw unsupported(reference);
        const policy = request.pull ? 'always' : 'missing';
        const image = await images.pull(reference, { policy, platform: showPlatform(platform), signal });
        await lease.keep([image.manifestDigest]);
        resolved.set(image.manifestDigest, image.config.rootfs.diff_ids);
        return { digest: image.manifestDigest, config: image.config, platform: platformOf(image) };
      },
      ignoreOf: async (location) => ignoreLines(location, 'Dockerfile'),
    };
    const context: BuildContext = {
      location: resolve(request.context),
      ignore: ignoreLines(request.context, request.dockerfile),
    };
    return buildGraph({ tree, settings, context, world, everyStage });
  }
  /** One for all builds at work: each network takes a subnet, of which a machine has some thirty. */
  let shared: { session: BuildSession; users: number } | undefined;
  function joinSession(): BuildSession {
    shared ??= { session: new BuildSession(host, networks), users: 0 };
    shared.users++;
    return shared.session;
  }
  async function leaveSession(session: BuildSession): Promise<void> {
    if (--shared!.users > 0) return;
    shared = undefined;
    rmSync(join(folder, 'fetched', session.name), { recursive: true, force: true });
    await session[Symbol.asyncDispose]();
  }

  return {
    async check(request) {
      using lease = store.lease();
      return await graphOf(request, lease, new Map(), true);
    },
    async build(request) {
      const { signal, emit, warn, secrets, ssh, names } = request;
      store.prepare();
      await BuildSession.sweep(host, networks, join(folder, 'fetched'));
      using lease = store.lease();
      const resolved = new Map<string, string[]>();
      const graph = unwrap(await graphOf(request, lease, resolved, false), warn);
      const records = new Records(folder);
      const caches = join(folder, 'caches');
      await using stack = new AsyncDisposableStack();
      const session = joinSession();
      stack.defer(() => leaveSession(session));
      const fetched = join(folder, 'fetched', session.name, randomBytes(4).toString('hex'));
      mkdirSync(fetched, { recursive: true, mode: 0o700 });
      try {
        using sources = new Sources(host.kernel.filesystem, records, fetched, signal);
        const [result] = graph.results;
        if (!result || graph.results.length > 1) throw unsupported('several platforms at once');
        const common = { host, store, lease, records, sources, session, graph, images: resolved };
        const exported = layeredUnder(graph, result.vertex);
        const solver = new Solver({ ...common, exported, secrets, ssh, caches, epoch: result.epoch, emit, signal });
        const [tree] = await solver.solve([result.vertex]);
        const image = await exportImage({
          store,
          addon: host.kernel.addon,
          records,
          graph,
          result,
          tree: tree!,
          madeBy: (vertex) => solver.madeBy(vertex),
          names,
          signal,
        });
        // The image was synced to the disk, and with it whatever was made before.
        store.settleLayers([...solver.made]);
        return image;
      } catch (thrown) {
        throw signal.aborted ? interruption(`Building ${names[0] ?? request.context}`) : thrown;
      } finally {
        rmSync(fetched, { recursive: true, force: true });
      }
    },
  };
}

function readDockerfile({ context, dockerfile, inline }: BuildRequest): Dockerfile {
  const path = isAbsolute(dockerfile) ? dockerfile : join(context, dockerfile);
  let text = inline;
  try {
    text ??= readFileSync(path, 'utf8');
  } catch (thrown) {
    const isThere = existsSync(context);
    throw new StackError('build.dockerfile', {
      message: isThere
        ? `The Dockerfile ${path} cannot be read: ${(thrown as NodeJS.ErrnoException).code}.`
        : `The build context ${context} does not exist.`,
      hint: isThere ? 'Check `build.dockerfile` in the stack file.' : 'Check `build.context` in the stack file.',
    });
  }
  return unwrap(parseDockerfile(text, inline === undefined ? path : 'dockerfile_inline'), () => {});
}

function ignoreLines(context: string, dockerfile: string): string[] {
  for (const name of ignoreFileNames(dockerfile)) {
    const path = isAbsolute(name) ? name : join(context, name);
    if (!existsSync(path)) continue;
    const lines = readIgnoreFile(readFileSync(path, 'utf8'));
    const [malformed] = createIgnoreMatcher(lines).malformed;
    if (malformed === undefined) return lines;
    throw new StackError('build.context', {
      message: `${path}: ${malformed} is no pattern.`,
      hint: 'A [ opens a class of characters, which a ] closes; write \\[ for the character itself.',
    });
  }
  return [];
}

/** @throws the first error with all others beside it */
function unwrap<T>(result: Result<T>, warn: (error: StackError) => void): T {
  result.warnings.forEach(warn);
  if (result.ok) return result.value;
  const [first, ...rest] = result.errors;
  first!.also.push(...rest);
  throw first!;
}

const platformOf = ({ config: { os, architecture, variant } }: StoredImage): Platform => ({
  os,
  architecture,
  ...(variant ? { variant } : {}),
});

const unsupported = (what: string) =>
  new StackError('build.not-supported', {
    message: `Building ${what.startsWith('oci-layout:') ? `from ${what}` : `for ${what}`} is not supported yet.`,
    hint: 'Load the layout with `stack image load`, or name one platform.',
  });
