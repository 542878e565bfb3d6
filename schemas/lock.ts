/** `stack.lock`: what the names of a stack file meant when they were looked up, so that they mean the same everywhere. */
import * as z from 'zod/mini';

const digest = z.string().check(z.regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, 'a digest: sha256:…'));
/** An image name, a platform or the name of a service. Printed, so that it must not steer a terminal. */
const name = z.string().check(z.maxLength(512), z.regex(/^[\x21-\x7e]+$/, 'a name'));

const lockedImage = z.strictObject({
  /** Of the index or manifest the name means: what is pulled. */
  digest,
  /** Of the manifest for each platform (`linux/arm64/v8`) it offers. */
  platforms: z.record(name, digest),
});

export const lockFile = z.strictObject({
  version: z.literal(1),
  /** By short name with its tag: `redis:7`, `ghcr.io/team/api:latest`. */
  images: z.record(name, lockedImage),
  /** By service: a digest of everything in `build` and its context that decides what comes out. */
  builds: z.record(name, z.strictObject({ inputs: digest })),
});

export type LockedImage = z.infer<typeof lockedImage>;
export type Lock = z.infer<typeof lockFile>;
