/** Checks of FROM's image and platform. */
import type { BuildSettings } from '../../../schemas/build.ts';
import type { Dockerfile, FromInstruction } from '../../../schemas/dockerfile.ts';
import type { Platform } from '../../../schemas/oci-image.ts';
import { parsePlatform } from '../../images/platform.ts';
import { parseReference } from '../../images/reference.ts';
import { ExpansionError, expand } from '../expand.ts';
import { globalArguments } from '../graph/arguments.ts';
import type { Checks } from './checks.ts';

/** `--platform`: redundant, or fixed where the stage's name does not say so. */
export function checkPlatformFlag(
  from: FromInstruction,
  globals: Map<string, string>,
  checks: Checks,
  escaper: '\\' | '`',
): void {
  const written = from.platform!;
  try {
    const { value, used, unset } = expand(written, globals, { escape: escaper });
    if (used.size === 1 && unset.size === 0 && used.has('TARGETPLATFORM') && value === globals.get('TARGETPLATFORM')) {
      const message = `--platform=${written} is what FROM does anyway.`;
      checks.report('RedundantTargetPlatform', from.source, message, written);
    }
    if (used.size > 0 || unset.size > 0) return;
    const { os, architecture } = parsePlatform(value);
    if (from.name?.includes(os) || from.name?.includes(architecture)) return;
    checks.report('FromPlatformFlagConstDisallowed', from.source, `--platform is fixed to ${value}.`, written);
  } catch {
    // What is wrong with it is an error of FROM, told there.
  }
}

/** Images named with ARG must be valid with the defaults alone. */
export function checkDefaultImages(
  tree: Dockerfile,
  settings: Pick<BuildSettings, 'buildPlatform' | 'target'>,
  platform: Platform,
  checks: Checks,
): void {
  const defaults = globalArguments(tree, settings, platform, {}, () => {});
  for (const { from } of tree.stages) {
    if (!from.image.includes('$')) continue;
    try {
      parseReference(expand(from.image, defaults, { escape: tree.escape }).value);
    } catch (thrown) {
      if (thrown instanceof ExpansionError) continue;
      const message = `${from.image} is no valid image name with the defaults of ARG.`;
      checks.report('InvalidDefaultArgInFrom', from.source, message, from.image);
    }
  }
}
