/**
 * What `stack plan -o` writes and `stack up --plan` reads. It holds names, ids and fingerprints, never a value of the stack
 * file: with it one can neither read a secret nor guess at one, since the fingerprints are made with the machine's own key.
 */
import * as z from 'zod/mini';

const text = z.string().check(z.maxLength(4096));
const fingerprint = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'a fingerprint of 64 hex digits'));
const names = z.array(text);
const flag = z.optional(z.boolean());

/** The flags it was made with: fields are those of reconcile's options. */
const options = z.strictObject({
  services: z.optional(names),
  noDeps: flag,
  noStart: flag,
  noRecreate: flag,
  forceRecreate: flag,
  alwaysRecreateDeps: flag,
  removeOrphans: flag,
  ignoreOrphans: flag,
  renewAnonVolumes: flag,
  recreateVolumes: z.optional(names),
  scale: z.optional(z.record(text, z.number().check(z.int(), z.minimum(0)))),
  pull: z.optional(z.enum(['missing', 'always', 'never'])),
  build: flag,
  noBuild: flag,
  timeoutMs: z.optional(z.number().check(z.int(), z.minimum(0))),
  wait: flag,
  frozen: flag,
});

export const planFile = z.strictObject({
  format: z.literal('stack-plan'),
  version: z.literal(1),
  stack: text,
  /** ISO 8601. */
  createdAt: text,
  options,
  /** By path (`services.web.environment`): what the stack file said there. */
  definition: z.record(text, fingerprint),
  /** By resource (`container demo-web-1`): its state, in words. */
  world: z.record(text, text),
  operations: z.array(z.strictObject({ id: text, needs: names })),
  /** Over all the above: a file that was changed since is refused. */
  signature: fingerprint,
});

export type PlanFile = z.infer<typeof planFile>;
export type PlanFileOptions = z.infer<typeof options>;
