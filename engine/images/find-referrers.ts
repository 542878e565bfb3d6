/** What refers to an image at its registry. Source: distribution-spec v1.1 "Listing Referrers". */
import { createHash } from 'node:crypto';
import type { Settings } from '../../schemas/settings.ts';
import type { Referrers } from './images.ts';
import { familiar, type Reference } from './reference.ts';
import { registryEndpoint } from './registry/endpoint.ts';
import { referrers } from './registry/referrers.ts';
import { defaultTiming, Registry, type Timing } from './registry/registry.ts';

/** Asks the registry itself: a mirror need not have what was added later. @throws StackError of the image group */
export async function findReferrers(
  reference: Reference,
  settings: Settings,
  timing: Partial<Timing> | undefined,
  artifactType: string | undefined,
  signal: AbortSignal,
): Promise<Referrers> {
  const endpoint = registryEndpoint(reference.registry, reference.repository, settings);
  using registry = new Registry(endpoint, familiar(reference.name), signal, { ...defaultTiming, ...timing });
  const digest = reference.digest ?? (await digestOf(registry, reference.tag!));
  return { digest, referrers: await referrers(registry, digest, artifactType) };
}

async function digestOf(registry: Registry, tag: string): Promise<string> {
  const named = await registry.digestOf(tag);
  if (named && /^sha(?:256|512):[0-9a-f]+$/.test(named)) return named;
  return `sha256:${createHash('sha256')
    .update((await registry.manifest(tag)).content)
    .digest('hex')}`;
}
