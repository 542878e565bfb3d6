/** Builds of the stack file's services: from a `build` section to an image of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildGraph, BuildSettings } from '../../schemas/build.ts';
import type { Result, StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import type { Images } from '../images/images.ts';
import type { Lease } from '../images/leases.ts';
import { interruption } from '../images/locks.ts';
import { replace } from '../images/replace-file.ts';
import type { Networks } from '../network/network.ts';
import type { Attestations } from './attest/options.ts';
import { basesOf, changesSince, inputsOf, valuesOf } from './built-from.ts';
import { openCaches, writeCaches } from './cache-places.ts';
import { type Caches, warnOfCaches } from './caches.ts';
import { unwrap } from './dockerfile.ts';
import { exportImage } from './export.ts';
import { nameIndex } from './indexed.ts';
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
  attestations: Attestations;
  /** Bytes of memory that a step may take; absent for no limit of its own. */
  memory?: number;
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
  /**
   * What has changed since the image `id` was built under the request's name; undefined where it was not, or where nobody
   * can tell. Nothing is fetched.
   */
  changes(request: BuildRequest, id: string): Promise<string[] | undefined>;
}

interface Workplace {
  lease: Lease;
  records: Records;
  session: BuildSession;
  sources: Sources;
  world: World;
  /** No step runs any more: what they shared goes, while the rest of the build is done. */
  leave(): void;
}

export function createBuilds(host: Host, images: Images, networks: () => Promise<Networks>): Builds {
  const folder = host.layout.build;
  const { store } = images;
  const turns = new Turns(store.verbs, join(folder, 'locks'));

  const openRecords = () => new Records(folder, (path, content) => replace(store, path, content, false));

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
    const records = openRecords();
    await using stack = new AsyncDisposableStack();
    const session = joinSession();
    let left: Promise<void> | undefined;
    const leave = () => {
      left ??= leaveSession(session);
      // What fails is told when the build ends.
      left.catch(() => {});
      return left;
    };
    // Layers that no image names settle, too, and those of a build that failed: the cache knows them.
    stack.defer(async () => void (await Promise.all([leave(), store.settle()])));
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
    return await work({ lease, records, session, sources, world, leave });
  }

  return {
    check: (request) => within(request.signal, ({ world }) => world.graphOf(request, true)),
    async changes(request, id) {
      const records = openRecords();
      const before = records.inputsOf(request.names[0]!);
      if (before?.id !== id) return undefined;
      const digestOf = (reference: string) => images.find(reference)?.manifestDigest;
      return await changesSince(before, request, { verbs: store.verbs, records, digestOf });
    },
    async build(request) {
      const { signal, emit, warn, names } = request;
      warnOfCaches(request.caches, warn);
      store.prepare();
      await BuildSession.sweep(host, networks, join(folder, 'fetched'));
      const caches = join(folder, 'caches');
      const startedAt = new Date().toISOString();
      return await within(signal, async ({ lease, records, session, sources, world, leave }) => {
        // Before anything is read: what changes from here on has changed since.
        const values = valuesOf(request);
        const graph = unwrap(await world.graphOf(request, false), warn);
        const { resolved, secrets, ssh } = world;
        const { epoch } = graph.results[0]!;
        using opened = new DisposableStack();
        const cacheFrom = await openCaches(request.caches.from, { host, warn, signal }, opened);
        using solver = new Solver({
          host,
          store,
          lease,
          records,
          sources,
          session,
          graph,
          images: resolved,
          exported: new Set(graph.results.flatMap(({ vertex }) => [...layeredUnder(graph, vertex)])),
          turns,
          cacheFrom,
          begunAt: shared!.begunAt,
          warn,
          secrets,
          ssh,
          caches,
          epoch,
          memory: request.memory,
          emit,
          signal,
        });
        const trees = await solver.solve(graph.results.map(({ vertex }) => vertex));
        leave();
        const { provenance, sbom } = request.attestations;
        const isAttested = provenance !== undefined || sbom;
        const isIndexed = isAttested || graph.results.length > 1;
        const parts: StoredImage[] = [];
        for (const [at, result] of graph.results.entries()) {
          const part = await exportImage({
            store,
            addon: host.kernel.addon,
            records,
            graph,
            result,
            tree: trees[at]!,
            madeBy: (vertex) => solver.madeBy(vertex),
            names: isIndexed ? [] : names,
            ...(request.caches.isInline ? { inline: solver.steps } : {}),
            signal,
          });
          await lease.keep([part.manifestDigest]);
          parts.push(part);
        }
        const madeBy = (vertex: string) => solver.madeBy(vertex);
        const { texts } = world;
        const attesting = { host, store, lease, request, graph, sources, texts, startedAt, madeBy };
        const attestations = isAttested
          ? await (await import('./attest/attest.ts')).attest(attesting, parts, trees)
          : [];
        const image = isIndexed ? await nameIndex({ store, lease, parts, attestations, names }) : parts[0]!;
        const salt = records.inputsOf(names[0]!)?.salt;
        const reads = sources.reads();
        records.keepInputs(
          names[0]!,
          inputsOf(image.id, request.context, { ...values, ...basesOf(graph) }, reads, salt),
        );
        const place = { host, store, lease, records, epoch, warn, signal };
        await writeCaches(request.caches.to, solver.steps, trees, place);
        return image;
      }).catch((thrown: unknown) => {
        throw signal.aborted ? interruption(`Building ${names[0] ?? request.context}`) : thrown;
      });
    },
  };
}
