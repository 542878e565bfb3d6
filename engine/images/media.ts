/** Media types of images, OCI's and docker's, and what each document is. Source: image-spec media-types.md. */
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, ImageConfig, Index, Manifest } from '../../schemas/oci-image.ts';
import { printable } from './registry/failure.ts';

export const ociIndex = 'application/vnd.oci.image.index.v1+json';
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
export const ociConfig = 'application/vnd.oci.image.config.v1+json';
export const ociLayer = 'application/vnd.oci.image.layer.v1.tar';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const dockerConfig = 'application/vnd.docker.container.image.v1+json';

const layerTypes: Record<string, string> = {
  'application/vnd.docker.image.rootfs.diff.tar': ociLayer,
  'application/vnd.docker.image.rootfs.diff.tar.gzip': `${ociLayer}+gzip`,
  'application/vnd.docker.image.rootfs.diff.tar.zstd': `${ociLayer}+zstd`,
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': `${ociLayer}+gzip`,
};

/** Most layers of one image: overlayfs takes no more. */
export const layerLimit = 500;

export type Document = { kind: 'index'; value: Index } | { kind: 'manifest'; value: Manifest };

/**
 * Reads a manifest or index, whichever it is; `mediaType` as transported, the document's own word counts more.
 * @throws StackError `image.media-type`, `image.registry-protocol`
 */
export async function readDocument(image: string, content: Uint8Array, mediaType: string): Promise<Document> {
  const value = parseJson(image, content, 'manifest') as {
    mediaType?: string;
    schemaVersion?: number;
    manifests?: unknown;
  };
  const type = value.mediaType ?? mediaType;
  if (value.schemaVersion === 1) {
    throw new StackError('image.media-type', {
      message: `Image ${image} has a manifest of docker's schema 1, which registries gave up long ago.`,
      hint: 'Push it again with a current tool.',
      resource: `image ${image}`,
    });
  }
  const schemas = await import('../../schemas/oci-image.ts');
  const isIndex = type === ociIndex || type === dockerList || (!isManifestType(type) && Array.isArray(value.manifests));
  if (!isIndex && !isManifestType(type) && type !== '' && !/json|octet-stream|text\/plain/.test(type)) {
    throw unsupported(image, `a manifest of type ${printable(type, 120)}`);
  }
  const parsed = isIndex ? schemas.index.safeParse(value) : schemas.manifest.safeParse(value);
  if (!parsed.success) throw malformed(image, 'manifest', parsed.error.issues[0]);
  return isIndex
    ? { kind: 'index', value: parsed.data as Index }
    : { kind: 'manifest', value: checkManifest(image, parsed.data as Manifest) };
}

/** Whether an entry of an index may lead to an image. */
export function isImageType(mediaType: string): boolean {
  return [ociIndex, dockerList, ociManifest, dockerManifest].includes(mediaType);
}

function isManifestType(type: string): boolean {
  return type === ociManifest || type === dockerManifest;
}

function checkManifest(image: string, manifest: Manifest): Manifest {
  const { config, layers } = manifest;
  if (config.mediaType !== ociConfig && config.mediaType !== dockerConfig) {
    const type = manifest.artifactType || config.mediaType;
    throw new StackError('image.media-type', {
      message: `${image} is no container image but an artifact of type ${printable(type, 120)}.`,
      hint: 'Artifacts (charts, signatures, bills of materials) are for other tools, such as oras.',
      resource: `image ${image}`,
    });
  }
  const foreign = layers.find(({ mediaType }) => !layerTypes[mediaType] && !mediaType.startsWith(ociLayer));
  if (foreign) throw unsupported(image, `a layer of type ${printable(foreign.mediaType, 120)}`);
  if (layers.length > layerLimit) {
    throw new StackError('image.limit', {
      message: `Image ${image} has ${layers.length} layers; at most ${layerLimit} can be stacked.`,
      resource: `image ${image}`,
    });
  }
  return manifest;
}

/** The manifest in OCI's terms: what docker's schema 2 says under other type names. Digests stay those of the content. */
export function asOci(manifest: Manifest): Manifest {
  const rename = (descriptor: Descriptor): Descriptor => ({
    ...descriptor,
    mediaType: layerTypes[descriptor.mediaType] ?? descriptor.mediaType,
  });
  return {
    ...manifest,
    mediaType: ociManifest,
    config: { ...manifest.config, mediaType: ociConfig },
    layers: manifest.layers.map(rename),
  };
}

/** @throws StackError `image.registry-protocol` */
export async function readConfig(image: string, content: Uint8Array): Promise<ImageConfig> {
  const { imageConfig } = await import('../../schemas/oci-image.ts');
  const parsed = imageConfig.safeParse(parseJson(image, content, 'configuration'));
  if (!parsed.success) throw malformed(image, 'configuration', parsed.error.issues[0]);
  return parsed.data;
}

function parseJson(image: string, content: Uint8Array, what: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Reported below.
  }
  throw new StackError('image.registry-protocol', {
    message: `The ${what} of image ${image} is not a JSON object.`,
    hint: 'Is it a container registry?',
    resource: `image ${image}`,
  });
}

function malformed(
  image: string,
  what: string,
  issue: { path: PropertyKey[]; message: string } | undefined,
): StackError {
  return new StackError('image.registry-protocol', {
    message: `The ${what} of image ${image} is malformed: ${issue?.path.join('.')}: ${issue?.message}.`,
    resource: `image ${image}`,
  });
}

function unsupported(image: string, what: string): StackError {
  return new StackError('image.media-type', {
    message: `Image ${image} has ${what}, which is not supported.`,
    resource: `image ${image}`,
  });
}
