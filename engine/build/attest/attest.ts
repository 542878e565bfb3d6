/**
 * Attestations of the images a build made, each set a manifest of its own in their index. Source: BuildKit's
 * attestation-storage.md; in-toto attestation v1, "Statement".
 */
import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { vertexId } from '../../../planner/dockerfile/graph/vertices.ts';
import type { BuildGraph, BuildResult } from '../../../schemas/build.ts';
import { StackError } from '../../../schemas/errors.ts';
import type { Descriptor, StoredImage } from '../../../schemas/oci-image.ts';
import type { Host } from '../../host.ts';
import { putBlob } from '../../images/blob.ts';
import type { Lease } from '../../images/leases.ts';
import { ociManifest } from '../../images/media.ts';
import { showPlatform } from '../../images/platform.ts';
import type { Store } from '../../images/store.ts';
import type { BuildRequest } from '../builds.ts';
import { remoteContext } from '../context.ts';
import type { Sources } from '../sources.ts';
import { openView, type Tree } from '../tree.ts';
import { withoutSecrets } from './dependencies.ts';
import { packagesIn } from './packages.ts';
import { provenanceOf } from './provenance.ts';
import { imagePurl } from './purl.ts';
import { sbomOf } from './sbom.ts';

export interface Attesting {
  host: Host;
  store: Store;
  lease: Lease;
  request: BuildRequest;
  graph: BuildGraph;
  sources: Sources;
  /** Texts of Dockerfiles, by file. */
  texts: Map<string, string>;
  /** RFC 3339. */
  startedAt: string;
  madeBy(vertex: string): Promise<{ tree: Tree }>;
}

interface Statement {
  predicateType: string;
  predicate: object;
}

const inToto = 'application/vnd.in-toto+json';
const artifactType = 'application/vnd.docker.attestation.manifest.v1+json';
const emptyConfig = 'application/vnd.oci.empty.v1+json';

/** Descriptors of the manifests, one for each image. */
export async function attest(attesting: Attesting, parts: StoredImage[], trees: Tree[]): Promise<Descriptor[]> {
  const { graph, request, store } = attesting;
  const [{ epoch }] = graph.results as [BuildResult];
  const fixed = epoch === undefined ? undefined : new Date(epoch * 1000).toISOString();
  const times = {
    invocation: fixed === undefined ? randomBytes(16).toString('hex') : digestOf(JSON.stringify(graph.results)),
    startedOn: fixed ?? attesting.startedAt,
    finishedOn: fixed ?? new Date().toISOString(),
  };
  const descriptors: Descriptor[] = [];
  for (const [at, part] of parts.entries()) {
    const result = graph.results[at]!;
    const statements: Statement[] = [];
    if (request.attestations.sbom) statements.push(billOf(attesting, part, trees[at]!));
    if (request.attestations.provenance) {
      const layers = await layersByVertex(attesting, result, store.manifest(part.manifestDigest).layers);
      const { settings } = request;
      const { texts, sources } = attesting;
      const checksums = sources.checksums;
      const config = configOf(attesting);
      statements.push(
        provenanceOf(
          { graph, result, settings, config, texts, checksums, layers, ...times },
          request.attestations.provenance,
        ),
      );
    }
    descriptors.push(await attach(attesting, part, statements));
  }
  return descriptors;
}

function billOf({ host, store, request }: Attesting, part: StoredImage, tree: Tree): Statement {
  const { names, warn } = request;
  const verbs = host.kernel.filesystem;
  using view = openView(store, verbs, tree);
  const found = view ? packagesIn(verbs, view.root) : { packages: [], system: undefined, unread: [] };
  if (found.unread.length > 0) {
    throw new StackError('build.not-supported', {
      message: `sbom: the packages of ${names[0]} are in a database of rpm (/${found.unread[0]}), which is not read.`,
      hint: 'dpkg and apk are. Take `sbom` out, and run another generator over the image that was built.',
    });
  }
  if (found.packages.length === 0) {
    const message = `sbom: the image ${names[0]} has no package that dpkg or apk knows: its bill of materials names the image alone.`;
    warn(new StackError('build.check', { message, hint: 'Programs that were copied in are not found.' }));
  }
  return sbomOf({
    name: names[0]!,
    purl: imagePurl(names[0]!, showPlatform(part.config)),
    digest: part.manifestDigest,
    created: part.config.created ?? new Date(0).toISOString(),
    found,
  });
}

/** Where the Dockerfile lies; an absolute path says too much of the machine. */
function configOf({ request, sources }: Attesting) {
  const { dockerfile, inline, context } = request;
  const path =
    inline === undefined ? { path: isAbsolute(dockerfile) ? dockerfile.replace(/^.*\//, '') : dockerfile } : {};
  const remote = remoteContext(context);
  if (!remote) return path;
  const digest = sources.checksums.get(vertexId(remote, []));
  const { address, ref } =
    remote.kind === 'source.git'
      ? { address: remote.remote, ref: remote.ref }
      : { address: remote.url, ref: undefined };
  return { uri: withoutSecrets(address) + (ref ? `#${ref}` : ''), ...(digest ? { digest } : {}), ...path };
}

async function layersByVertex({ madeBy }: Attesting, { steps, config }: BuildResult, layers: Descriptor[]) {
  const found = new Map<string, Descriptor[]>();
  let at = config.rootfs.diff_ids.length;
  for (const { vertex } of steps) {
    if (vertex === undefined) continue;
    const { tree } = await madeBy(vertex);
    const added = layers.slice(at, tree.diffIds.length);
    const plain = added.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
    if (added.length > 0) found.set(vertex, plain);
    at = Math.max(at, tree.diffIds.length);
  }
  return found;
}

/** Writes statements about an image, and the manifest that holds them. */
async function attach(
  { store, lease, request }: Attesting,
  part: StoredImage,
  statements: Statement[],
): Promise<Descriptor> {
  const shown = showPlatform(part.config);
  const subject = request.names.map((name) => ({
    name: imagePurl(name, shown),
    digest: { sha256: part.manifestDigest.replace(/^sha256:/, '') },
  }));
  const put = async (content: string) => {
    await lease.keep([`sha256:${digestOf(content)}`]);
    return putBlob(store, Buffer.from(content));
  };
  const layers: object[] = [];
  for (const { predicateType, predicate } of statements) {
    const content = JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType, subject, predicate });
    const annotations = { 'in-toto.io/predicate-type': predicateType };
    layers.push({ mediaType: inToto, ...(await put(content)), annotations });
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    artifactType,
    config: { mediaType: emptyConfig, ...(await put('{}')), data: 'e30=' },
    layers,
    subject: {
      mediaType: ociManifest,
      digest: part.manifestDigest,
      size: statSync(store.blob(part.manifestDigest)).size,
    },
  };
  return {
    mediaType: ociManifest,
    ...(await put(JSON.stringify(manifest))),
    annotations: {
      'vnd.docker.reference.digest': part.manifestDigest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  };
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');
