/** Documents of the OCI image-spec v1.1 (and docker's schema 2 twins). Source: image-spec manifest.md, config.md, image-index.md. */
import * as z from 'zod';

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/, 'not a digest');

export const platform = z.looseObject({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  'os.version': z.string().optional(),
});
export type Platform = z.infer<typeof platform>;

export const descriptor = z.looseObject({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
  platform: platform.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  artifactType: z.string().optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

export const index = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(descriptor),
});
export type Index = z.infer<typeof index>;

export const manifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptor,
  layers: z.array(descriptor),
});
export type Manifest = z.infer<typeof manifest>;

const strings = z.array(z.string()).nullish();
/** Docker's health check as images carry it; durations in nanoseconds. */
export const imageHealthcheck = z.looseObject({
  Test: strings,
  Interval: z.number().optional(),
  Timeout: z.number().optional(),
  StartPeriod: z.number().optional(),
  StartInterval: z.number().optional(),
  Retries: z.number().optional(),
});

/** image-spec config.md. */
export const imageConfig = z.looseObject({
  created: z.string().optional(),
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: z
    .looseObject({
      User: z.string().optional(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      WorkingDir: z.string().optional(),
      Labels: z.record(z.string(), z.string()).nullish(),
      StopSignal: z.string().optional(),
      Healthcheck: imageHealthcheck.nullish(),
      Shell: strings,
    })
    .nullish(),
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: z.array(digest) }),
  history: z.array(z.looseObject({})).optional(),
});
export type ImageConfig = z.infer<typeof imageConfig>;

/** manifest.json of a `docker save` archive. */
export const dockerArchive = z.array(
  z.looseObject({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullable(),
  }),
);
export type DockerArchive = z.infer<typeof dockerArchive>;

/** An image that is whole in the store: content, configuration and unpacked layers. */
export interface StoredImage {
  /** Normalised names it is known by: `docker.io/library/redis:7`. */
  names: string[];
  /** Digest of the configuration: what docker calls the image id. */
  id: string;
  /** Digest of the manifest (of the chosen platform). */
  manifestDigest: string;
  /** Digest the name resolved to at the registry (the index's, where there is one). */
  digest: string;
  config: ImageConfig;
  /** Absolute directories of the unpacked layers, uppermost first (overlay's lowerdir order). */
  layers: string[];
  /** Bytes of the blobs. */
  size: number;
}
