/** ARG before the first FROM, and the arguments every build has. Source: Dockerfile reference, "ARG". */
import type { BuildSettings } from '../../../schemas/build.ts';
import type { Dockerfile } from '../../../schemas/dockerfile.ts';
import type { Platform } from '../../../schemas/oci-image.ts';
import { showPlatform } from '../../images/platform.ts';
import { ExpansionError, expand } from '../expand.ts';
import { refuse } from '../site.ts';

/** TARGETPLATFORM and its kin. */
export function platformArguments(build: Platform, target: Platform, stage: string): Map<string, string> {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, showPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform['os.version'] ?? ''],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ];
  return new Map([...of('BUILD', build), ...of('TARGET', target), ['TARGETSTAGE', stage]]);
}

/**
 * What FROM may use: the platform's arguments and the ARGs before it, of which the values handed in win. Without
 * `given`, the defaults only. `onError` is told what goes wrong with one, which then has no value.
 */
export function globalArguments(
  tree: Dockerfile,
  settings: Pick<BuildSettings, 'buildPlatform' | 'target'>,
  platform: Platform,
  given: Record<string, string>,
  onError: (thrown: unknown) => void,
): Map<string, string> {
  const target = settings.target ?? tree.stages.at(-1)?.from.name ?? '';
  const values = platformArguments(settings.buildPlatform, platform, target || 'default');
  for (const name of values.keys()) if (Object.hasOwn(given, name)) values.set(name, given[name]!);
  for (const { args, source } of tree.args) {
    for (const { key, value } of args) {
      if (Object.hasOwn(given, key)) values.set(key, given[key]!);
      else if (value !== undefined) {
        try {
          values.set(key, expand(value, values, { escape: tree.escape }).value);
        } catch (thrown) {
          if (!(thrown instanceof ExpansionError)) throw thrown;
          try {
            refuse(source, `ARG ${key}: ${thrown.message}.`, { word: value, code: 'build.value' });
          } catch (error) {
            onError(error);
          }
        }
      }
    }
  }
  return values;
}

const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Proxy arguments need no ARG; both spellings go to RUN. */
export function proxyArguments(given: Record<string, string>): Record<string, string> | undefined {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const upper = name.toUpperCase();
    if (!proxies.includes(upper)) continue;
    result[upper] = value;
    result[upper.toLowerCase()] = value;
  }
  return Object.keys(result).length > 0 ? result : undefined;
}

/** Arguments that steer the builder and so count as used without an ARG. */
export function isBuilderArgument(name: string): boolean {
  return name.startsWith('BUILDKIT_') || name === 'SOURCE_DATE_EPOCH' || proxies.includes(name.toUpperCase());
}
