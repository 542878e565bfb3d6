/** Requests as graphs: where Dockerfiles are read and what they name is looked up. One for each build. */
import { resolve } from 'node:path';
import { buildGraph } from '../../planner/dockerfile/graph/graph.ts';
import type { BuildContext, BuildGraph, BuildWorld, ResolvedImage } from '../../schemas/build.ts';
import { type Result, StackError } from '../../schemas/errors.ts';
import type { Platform, StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import type { Images } from '../images/images.ts';
import type { Lease } from '../images/leases.ts';
import { fits, hostPlatform, showPlatform } from '../images/platform.ts';
import type { BuildRequest } from './builds.ts';
import { fileAt, isAddress, remoteContext } from './context.ts';
import { type DockerfileText, ignoreLines, localDockerfile, parsed, unwrap } from './dockerfile.ts';
import { imageOfLayout } from './layout.ts';
import { checkServices } from './services.ts';
import type { Sources } from './sources.ts';

export interface Room {
  host: Host;
  images: Images;
  lease: Lease;
  sources: Sources;
}

export class World {
  /** Layers of the images that were resolved, by digest. */
  readonly resolved = new Map<string, string[]>();
  /** What the steps are handed, by id: of the service that is built, and of those it takes as contexts. */
  readonly secrets = new Map<string, Buffer>();
  readonly ssh = new Map<string, string>();
  /** Texts of Dockerfiles, by the file that positions name. */
  readonly texts = new Map<string, string>();
  readonly #room: Room;
  readonly #services = new Map<string, Promise<BuildGraph>>();
  readonly #images = new Map<string, Promise<ResolvedImage>>();

  constructor(room: Room) {
    this.#room = room;
  }

  /** @throws a StackError for what is found in no Dockerfile: a service that waits for itself, a repository that is not there */
  async graphOf(request: BuildRequest, everyStage: boolean): Promise<Result<BuildGraph>> {
    checkServices(request);
    return await this.#graph(request, everyStage);
  }

  async #graph(request: BuildRequest, everyStage: boolean): Promise<Result<BuildGraph>> {
    const { settings } = request;
    join('secret', this.secrets, request.secrets, request.service, (a, b) => a.equals(b));
    join('ssh agent', this.ssh, request.ssh, request.service, (a, b) => a === b);
    const { context, source } = await this.#contextOf(request);
    this.texts.set(source.file, source.text);
    const tree = parsed(source);
    const world: BuildWorld = {
      resolveImage: (reference, platform) => this.#image(request, reference, platform),
      resolveService: (service, platform) => this.#service(request, service, platform),
      ignoreOf: async (location) => ignoreLines(location, 'Dockerfile'),
    };
    return await buildGraph({ tree, settings, context, world, everyStage });
  }

  async #contextOf(request: BuildRequest): Promise<{ context: BuildContext; source: DockerfileText }> {
    const { sources, host } = this.#room;
    const remote = remoteContext(request.context);
    const isElsewhere = request.inline === undefined && isAddress(request.dockerfile);
    const source = isElsewhere
      ? await (await import('./remote-dockerfile.ts')).dockerfileAt(sources, fileAt(request.dockerfile))
      : undefined;
    if (remote) {
      const { fetchedContext } = await import('./remote-dockerfile.ts');
      const asked = source ? { ...request, inline: source.text } : request;
      const fetched = await fetchedContext(host.kernel.filesystem, sources, asked, remote);
      return { ...fetched, ...(source ? { source } : {}) };
    }
    const context = { location: resolve(request.context), ignore: ignoreLines(request.context, request.dockerfile) };
    return { context, source: source ?? localDockerfile(request) };
  }

  /** Looked up once: a name means the same in all stages. */
  #image(request: BuildRequest, reference: string, platform: Platform): Promise<ResolvedImage> {
    const key = `${request.pull} ${showPlatform(platform)} ${reference}`;
    const image = this.#images.get(key) ?? this.#lookUp(request, reference, platform);
    this.#images.set(key, image);
    return image;
  }

  async #lookUp({ pull, signal }: BuildRequest, reference: string, platform: Platform): Promise<ResolvedImage> {
    const { images, lease, host } = this.#room;
    const image = reference.startsWith('oci-layout://')
      ? await imageOfLayout(images.store, host.kernel.addon, reference, platform, signal)
      : await images.pull(reference, {
          policy: pull ? 'always' : 'missing',
          platform: showPlatform(platform),
          keepsName: !fits(hostPlatform(), platform),
          signal,
        });
    await lease.keep([image.manifestDigest]);
    this.resolved.set(image.manifestDigest, image.config.rootfs.diff_ids);
    return { digest: image.manifestDigest, config: image.config, platform: platformOf(image) };
  }

  #service(asking: BuildRequest, service: string, platform: Platform): Promise<BuildGraph> {
    const key = `${service} ${showPlatform(platform)}`;
    const known = this.#services.get(key);
    if (known) return known;
    const asked = asking.requestOf(service);
    const request = { ...asked, settings: { ...asked.settings, platforms: [platform] } };
    const graph = this.#graph(request, false).then((result) => unwrap(result, request.warn));
    this.#services.set(key, graph);
    return graph;
  }
}

/** @throws StackError where two services mean different things by one id, of which the steps could see one alone */
function join<T>(
  kind: string,
  all: Map<string, T>,
  added: Map<string, T>,
  service: string,
  isSame: (a: T, b: T) => boolean,
): void {
  for (const [id, value] of added) {
    const known = all.get(id);
    if (known !== undefined && !isSame(known, value)) {
      throw new StackError('build.secret', {
        message: `The ${kind} ${id} of the service ${service} is another one than that of the service which builds on it.`,
        hint: 'Call one of them by another id, with `target` in the stack file.',
      });
    }
    all.set(id, value);
  }
}

const platformOf = ({ config: { os, architecture, variant } }: StoredImage): Platform => ({
  os,
  architecture,
  ...(variant ? { variant } : {}),
});
