/** Which variant of an image fits. Source: image-spec image-index.md `platform`; containerd's variant fallbacks. */
import { normalised, parsePlatform, showPlatform } from '../../planner/images/platform.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, Platform } from '../../schemas/oci-image.ts';

export { parsePlatform, showPlatform };

/** Platform of this machine. */
export function hostPlatform(): Platform {
  return normalised({ os: 'linux', architecture: process.arch });
}

/**
 * How well `offered` runs on `wanted`: 0 not at all, higher is better. An older arm variant runs on a newer one; an
 * amd64 level above the asked one does not.
 */
export function suitability(wanted: Platform, offered: Platform): number {
  const a = normalised(wanted);
  const b = normalised(offered);
  if (a.os !== b.os || a.architecture !== b.architecture) return 0;
  const level = (variant: string | undefined) => (variant ? Number.parseInt(variant.slice(1), 10) || 0 : 0);
  if (a.variant === b.variant) return 100;
  if (b.variant && level(b.variant) > level(a.variant)) return 0;
  return 1 + level(b.variant);
}

/** Whether an image made for `offered` runs where `wanted` is asked for. */
export function fits(wanted: Platform, offered: Platform): boolean {
  return suitability(wanted, offered) > 0;
}

/**
 * The best manifest of an index; the first of equals.
 * @throws StackError `image.platform` naming what the image offers
 */
export function choosePlatform(image: string, manifests: Descriptor[], wanted: Platform): Descriptor {
  let best: Descriptor | undefined;
  let bestScore = 0;
  for (const candidate of manifests) {
    // buildkit's attestations are listed with platform unknown/unknown; an entry without a platform fits anything.
    const score = candidate.platform ? suitability(wanted, candidate.platform) : 1;
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  if (best) return best;
  const offered = manifests.flatMap(({ platform }) =>
    platform && platform.os !== 'unknown' ? [showPlatform(platform)] : [],
  );
  throw new StackError('image.platform', {
    message: `Image ${image} has no variant for ${showPlatform(wanted)}.`,
    hint:
      offered.length > 0 ? `It offers ${[...new Set(offered)].join(', ')}; ask for one with \`platform:\`.` : undefined,
    resource: `image ${image}`,
  });
}
