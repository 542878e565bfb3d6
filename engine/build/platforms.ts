/** Which platforms a service's image is built for. Source: compose-spec build.md `platforms`; docker compose, applyPlatforms. */
import { parsePlatform } from '../../planner/images/platform.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Platform } from '../../schemas/oci-image.ts';
import { hostPlatform, showPlatform } from '../images/platform.ts';

/** What BUILDPLATFORM is: the machine's, of any amd64 level, so that images run on, and caches fit, every machine of its kind. */
export function buildPlatform(): Platform {
  const { os, architecture, variant } = hostPlatform();
  return { os, architecture, ...(variant && architecture !== 'amd64' ? { variant } : {}) };
}

/**
 * `listed`: `build.platforms`; `own`: the service's `platform`, or DOCKER_DEFAULT_PLATFORM. Empty for this machine's.
 * @throws StackError `image.platform` where the service runs on a platform that `build.platforms` leaves out
 */
export function platformsOf(
  service: string,
  listed: Platform[],
  own: string | undefined,
  flags: { platform?: string[]; isForOne?: boolean },
): Platform[] {
  const asked = (flags.platform ?? []).flatMap((each) => each.split(',')).map(parsePlatform);
  if (asked.length > 0) return distinct(asked);
  if (own === undefined) return flags.isForOne && listed.length > 1 ? [] : listed;
  const wanted = parsePlatform(own);
  const shown = showPlatform(wanted);
  if (listed.length > 0 && !listed.some((each) => showPlatform(each) === shown)) {
    throw new StackError('image.platform', {
      message: `The service ${service} is for ${shown}, and its \`build.platforms\` has only ${listed.map(showPlatform).join(', ')}.`,
      hint: `Add ${shown} to \`build.platforms\`, or change \`platform\` or DOCKER_DEFAULT_PLATFORM.`,
    });
  }
  return flags.isForOne || listed.length === 0 ? [wanted] : listed;
}

const distinct = (platforms: Platform[]) => [...new Map(platforms.map((one) => [showPlatform(one), one])).values()];
