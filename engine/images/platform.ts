/** Which variant of an image fits. Source: image-spec image-index.md `platform`; containerd's variant fallbacks. */
import { readFileSync } from 'node:fs';
import { normalised, parsePlatform, showPlatform } from '../../planner/images/platform.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Descriptor, Platform } from '../../schemas/oci-image.ts';
import { isImageType } from './media.ts';

export { parsePlatform, showPlatform };

/** What each level of amd64 adds to the one before, as /proc/cpuinfo names it. Source: x86-64 psABI, "Micro-Architecture Levels". */
const levels = [
  'cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3',
  'abm avx avx2 bmi1 bmi2 f16c fma movbe xsave',
  'avx512bw avx512cd avx512dq avx512f avx512vl',
].map((flags) => flags.split(' '));

/** Platform of this machine. */
export function hostPlatform(): Platform {
  cpu ??= cpuVariant();
  return { ...normalised({ os: 'linux', architecture: process.arch }), ...cpu };
}

let cpu: { variant?: string } | undefined;

/** The machine's level, where images may be made for one. */
function cpuVariant(): { variant?: string } {
  if (process.arch !== 'x64') return {};
  try {
    const variant = amd64Level(readFileSync('/proc/cpuinfo', 'utf8'));
    return variant === 'v1' ? {} : { variant };
  } catch {
    return {};
  }
}

/** `v1` to `v4`. `cpuinfo`: text of /proc/cpuinfo. */
export function amd64Level(cpuinfo: string): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const missing = levels.findIndex((needed) => !needed.every((flag) => flags.has(flag)));
  return `v${missing < 0 ? levels.length + 1 : missing + 1}`;
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
    const isArtifact = candidate.artifactType !== undefined || !isImageType(candidate.mediaType);
    const score = isArtifact ? 0 : candidate.platform ? suitability(wanted, candidate.platform) : 1;
    if (score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  if (best) return best;
  if (
    manifests.length > 0 &&
    manifests.every(({ artifactType, mediaType }) => artifactType || !isImageType(mediaType))
  ) {
    throw new StackError('image.media-type', {
      message: `${image} holds artifacts alone, no container image.`,
      hint: 'Artifacts (charts, signatures, bills of materials) are for other tools, such as oras.',
      resource: `image ${image}`,
    });
  }
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
