/** Builds of the stack file's services: from a `build` section to an image of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildGraph, BuildSettings } from '../../schemas/build.ts';
import { type Result, StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import type { Images } from '../images/images.ts';
import type { Lease } from '../images/leases.ts';
import { interruption } from '../images/locks.ts';
import { replace } from '../images/replace-file.ts';
import type { Networks } from '../network/network.ts';
import { type Caches, warnOfCaches } from './caches.ts';
import { unwrap } from './dockerfile.ts';
import { exportImage } from './export.ts';
import { type SolvedStep, writeCache } from './local-cache.ts';
import { Records } from './records.ts';
import { BuildSession } from './session.ts';
import { Solver } from './solve.ts';
import { type BuildEvent, layeredUnder } from './solving.ts';
import { Sources } from './sources.ts';
import { Turns } from './turns.ts';
import { World } from './world.ts';

export type { BuildEvent } from './solving.ts';

export interface BuildRequest {
  /** Name of the service. */
  service: string;
  /** Directory of the context, or a git address. */
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
  caches: Caches;
  /** The request of another service, for `service:NAME`. @throws StackError where it builds nothing */
  requestOf(service: string): BuildRequest;
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

interface Workplace {
  lease: Lease;
  records: Records;
  session: BuildSession;
  sources: Sources;
  world: World;
}

export function createBuilds(host: Host, images: Images, networks: () => Promise<Networks>): Builds {
  const folder = host.layout.build;
  const { store } = images;
  const turns = new Turns();

  /** One for all builds at work: each network takes a subnet, of which a machine has some thirty. */
  let shared: { session: BuildSession; users: number; begunAt: string } | undefined;
  function joinSession(): BuildSession {
    shared ??= {
      session: new BuildSession(host, networks, join(folder, 'fetched')),
      users: 0,
      begunAt: new Date().toISOString(),
    };
    shared.users++;
    return shared.session;
  }
  async function leaveSession(session: BuildSession): Promise<void> {
    if (--shared!.users > 0) return;
    shared = undefined;
    await session[Symbol.asyncDispose]();
  }

  /** Folders and a lease for the time of `work`; what was fetched goes with it. */
  async function within<T>(signal: AbortSignal, work: (at: Workplace) => Promise<T>): Promise<T> {
    using lease = store.lease();
    const records = new Records(folder, (path, content) => replace(store, path, content, false));
    await using stack = new AsyncDisposableStack();
    const session = joinSession();
    stack.defer(() => leaveSession(session));
    let fetched: string | undefined;
    const makeFetched = () => {
      fetched ??= mkdtempSync(join(session.fetched, 'of-'));
      return fetched;
    };
    stack.defer(() => {
      if (fetched) rmSync(fetched, { recursive: true, force: true });
    });
    using sources = new Sources(host.kernel.filesystem, records, makeFetched, signal);
    const world = new World({ images, lease, sources, host });
    return await work({ lease, records, session, sources, world });
  }

  return {
    check: (request) => within(request.signal, ({ world }) => world.graphOf(request, true)),
    async build(request) {
      const { signal, emit, warn, names } = request;
      // Before images are looked for that there may be for one of them alone.
      if (request.settings.platforms.length > 1) throw severalPlatforms();
      warnOfCaches(request.caches, warn);
      store.prepare();
      await BuildSession.sweep(host, networks, join(folder, 'fetched'));
      const caches = join(folder, 'caches');
      return await within(signal, async ({ lease, records, session, sources, world }) => {
        const graph = unwrap(await world.graphOf(request, false), warn);
        const { resolved, secrets, ssh } = world;
        const [result] = graph.results;
        if (!result) throw new StackError('internal', { message: 'A graph without a result.' });
        const common = {
          host,
          store,
          lease,
          records,
          sources,
          session,
          graph,
          images: resolved,
          exported: layeredUnder(graph, result.vertex),
          turns,
          cacheFrom: request.caches.from,
          begunAt: shared!.begunAt,
          warn,
        };
        using solver = new Solver({ ...common, secrets, ssh, caches, epoch: result.epoch, emit, signal });
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
        const isIn = (step: SolvedStep) => step.diffIds.every((diffId, at) => tree!.diffIds[at] === diffId);
        for (const { directory, isWhole } of request.caches.to) {
          const steps = new Map([...solver.steps].filter(([, step]) => isWhole || isIn(step)));
          await writeCache(directory, steps, { store, records, epoch: result.epoch, signal });
        }
        return image;
      }).catch((thrown: unknown) => {
        throw signal.aborted ? interruption(`Building ${names[0] ?? request.context}`) : thrown;
      });
    },
  };
}

const severalPlatforms = () =>
  new StackError('build.not-supported', {
    message: 'Building for several platforms at once is not supported yet.',
    hint: 'Name one platform.',
  });
