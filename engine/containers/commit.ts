/** A container as an image: its image, one layer of what it changed, and what it runs. Source: docker's reference of `commit`. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { buildGraph } from '../../planner/dockerfile/graph/graph.ts';
import { parseDockerfile } from '../../planner/dockerfile/parse.ts';
import { readBuildSettings } from '../../planner/dockerfile/settings.ts';
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, ImageConfig, Manifest, StoredImage } from '../../schemas/oci-image.ts';
import { compressed } from '../build/export.ts';
import { NewLayer } from '../build/new-layer.ts';
import { packedType } from '../build/pack.ts';
import { chainOf } from '../build/tree.ts';
import type { Host } from '../host.ts';
import { Extractor } from '../images/extract.ts';
import { Extractors } from '../images/extractors.ts';
import type { Images } from '../images/images.ts';
import { install } from '../images/install.ts';
import { layerTar } from '../images/layer-tar.ts';
import { ociConfig, ociManifest } from '../images/media.ts';
import { hostPlatform } from '../images/platform.ts';
import { TarReader } from '../images/tar.ts';

export interface CommitRequest {
  /** Normalised; none leaves the image nameless. */
  names: string[];
  author?: string;
  message?: string;
  /** Instructions of a Dockerfile: `CMD ["true"]`, `ENV A=b`. */
  changes: string[];
  signal: AbortSignal;
}

/** What docker takes of a Dockerfile here. */
const allowed = new Set(
  'cmd entrypoint env expose healthcheck label onbuild stopsignal user volume workdir'.split(' '),
);

/**
 * What it mounts is no part of it. The container should stand still meanwhile, and nothing else relies on that.
 * @throws StackError `image.not-found` where its image was removed, `usage` for changes that are none, `image.store`
 */
export async function commit(
  host: Host,
  images: Images,
  record: ContainerRecord,
  { names, author, message, changes, signal }: CommitRequest,
): Promise<StoredImage> {
  const { store } = images;
  using hold = images.hold();
  const base = await hold.use(record.image.id);
  const config = await changed(configOf(base.config, record), base, changes);
  using lease = store.lease();
  const from = { diffIds: base.config.rootfs.diff_ids };
  using layer = new NewLayer(store, from);
  const upper = join(host.layout.containerDir(record.stack, record.id), 'upper');
  const diffId = await takeOver(host, upper, layer.upper, signal);
  const whole = { diffIds: [...from.diffIds, diffId] };
  await lease.keep([`sha256:${chainOf(whole)}`]);
  const tree = await layer.publish(diffId);
  const created = new Date().toISOString();
  const step = { created, created_by: record.config.command?.join(' ') ?? '', ...(author ? { author } : {}) };
  const history = [...(base.config.history ?? []), { ...step, ...(message ? { comment: message } : {}) }];
  const rootfs = { type: 'layers' as const, diff_ids: tree.diffIds };
  const document = { ...base.config, ...(author ? { author } : {}), config, created, history, rootfs } as ImageConfig;
  const configContent = Buffer.from(JSON.stringify(document));
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: '', size: configContent.length },
    layers: [...store.manifest(base.manifestDigest).layers, { mediaType: packedType } as Descriptor],
  } as Manifest;
  await using extractors = new Extractors(host.kernel.addon);
  const image = {
    shown: names[0] ?? 'the committed image',
    names,
    manifest,
    manifestContent: undefined,
    config: document,
    configContent,
    digest: undefined,
    openLayer: (_: Descriptor, at: number) =>
      compressed(store, chainOf({ diffIds: tree.diffIds.slice(0, at + 1) }), undefined),
  };
  return install(store, extractors, image, () => {}, signal);
}

/** As the tar of a layer, so that the layer is what its digest says though the container runs on. Answers the diff id. */
async function takeOver(host: Host, from: string, to: string, signal: AbortSignal): Promise<string> {
  const verbs = host.kernel.filesystem;
  const [source, target] = [from, to].map((path) => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
  const extractor = new Extractor(verbs, target!, process.umask());
  const reader = new TarReader(extractor);
  const hash = createHash('sha256');
  try {
    for (const piece of layerTar(verbs, source!)) {
      hash.update(piece);
      reader.push(piece);
      await setImmediate();
      signal.throwIfAborted();
    }
    reader.finish();
    extractor.finish();
  } finally {
    extractor.close();
    closeSync(source!);
    closeSync(target!);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** The image's own, under what the container was made with. */
function configOf(
  image: ImageConfig,
  { config: service, labels }: ContainerRecord,
): NonNullable<ImageConfig['config']> {
  const config = image.config ?? {};
  const environment = new Map((config.Env ?? []).map((pair) => [pair.split('=', 1)[0], pair]));
  for (const [name, value] of Object.entries(service.environment ?? {})) {
    if (value !== null) environment.set(name, `${name}=${value}`);
  }
  // Those by which a stack knows its containers are not the image's.
  const own = Object.entries(labels).filter(([name]) => !name.startsWith('com.docker.compose.'));
  const { command, entrypoint, user, working_dir: workingDir, stop_signal: stopSignal } = service;
  return {
    ...config,
    ...(environment.size > 0 ? { Env: [...environment.values()] } : {}),
    ...(entrypoint ? { Entrypoint: entrypoint, Cmd: command ?? [] } : {}),
    ...(command ? { Cmd: command } : {}),
    ...(user ? { User: user } : {}),
    ...(workingDir ? { WorkingDir: workingDir } : {}),
    ...(stopSignal ? { StopSignal: stopSignal } : {}),
    ...(own.length > 0 ? { Labels: Object.fromEntries(own) } : {}),
  };
}

/** As a build that begins with this image would read them. */
async function changed(config: NonNullable<ImageConfig['config']>, base: StoredImage, changes: string[]) {
  if (changes.length === 0) return config;
  const parsed = parseDockerfile(['FROM committed', ...changes].join('\n'), '--change');
  if (!parsed.ok) throw refused(parsed.errors[0]!.message);
  const instructions = parsed.value.stages.flatMap(({ instructions }) => instructions);
  const other = instructions.find(({ kind }) => !allowed.has(kind));
  if (other || parsed.value.stages.length !== 1)
    throw refused(`${other?.keyword ?? 'FROM'} cannot be changed that way.`);
  const platform = hostPlatform();
  const graph = await buildGraph({
    tree: parsed.value,
    settings: readBuildSettings({}, platform, () => undefined),
    context: { location: '/', ignore: [] } as never,
    world: {
      resolveImage: async () => ({ digest: base.manifestDigest, config: { ...base.config, config }, platform }),
    },
  });
  if (!graph.ok) throw refused(graph.errors[0]!.message);
  return graph.value.results[0]!.config.config ?? config;
}

const refused = (why: string) =>
  new StackError('usage', {
    message: `--change: ${why}`,
    hint: `Instructions of a Dockerfile are taken: ${[...allowed].join(', ').toUpperCase()}.`,
  });
