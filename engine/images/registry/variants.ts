/** What a name means at its registry now, for every platform it offers. */
import { StackError } from '../../../schemas/errors.ts';
import type { LockedImage } from '../../../schemas/lock.ts';
import type { Settings } from '../../../schemas/settings.ts';
import { readConfig, readDocument } from '../media.ts';
import { showPlatform } from '../platform.ts';
import { digestOf, fetchConfig } from '../pull.ts';
import { familiar, parseReference } from '../reference.ts';
import { firstEndpoint } from './digest.ts';
import type { Registry } from './registry.ts';

/**
 * Asks the mirrors of `image` and then its registry. Attestations, which indexes list beside images, are left out.
 * @throws StackError of the image group: of the registry itself, those of the mirrors in `also`
 */
export async function resolveVariants(image: string, settings: Settings, signal: AbortSignal): Promise<LockedImage> {
  const reference = parseReference(image);
  const shown = familiar(image);
  return firstEndpoint(reference, settings, signal, (registry) =>
    variantsOf(registry, shown, reference.digest ?? reference.tag!),
  );
}

async function variantsOf(registry: Registry, shown: string, wanted: string): Promise<LockedImage> {
  const { content, mediaType, announced } = await registry.manifest(wanted);
  const digest = digestOf(content, announced);
  if (announced !== undefined && announced !== digest) {
    throw new StackError('image.digest-mismatch', {
      message: `The manifest of ${shown} has the digest ${digest}, and its registry says ${announced}.`,
      hint: 'The registry, or a proxy on the way, is damaged or not to be trusted.',
      resource: `image ${shown}`,
    });
  }
  const document = await readDocument(shown, content, mediaType);
  if (document.kind === 'manifest') {
    const config = await readConfig(shown, await fetchConfig(registry, document.value));
    return { digest, platforms: { [showPlatform(config)]: digest } };
  }
  const platforms: Record<string, string> = {};
  for (const { platform, digest: variant, artifactType } of document.value.manifests) {
    if (!platform || platform.os === 'unknown' || artifactType !== undefined) continue;
    // The first of equals is what a pull chooses.
    const name = showPlatform(platform);
    if (!Object.hasOwn(platforms, name)) platforms[name] = variant;
  }
  return { digest, platforms };
}
