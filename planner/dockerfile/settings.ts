/** The `build` section of a service as settings of a build. Source: compose-spec build.md. */
import type { BuildSettings } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Platform } from '../../schemas/oci-image.ts';
import { parsePlatform, showPlatform } from '../images/platform.ts';

/** `build` as the canonical project has it, as far as it concerns the graph. */
interface BuildSection {
  args?: Record<string, string | null>;
  additional_contexts?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
  network?: string;
  no_cache?: boolean;
  no_cache_filter?: string[];
  extra_hosts?: string[];
  shm_size?: string;
  ulimits?: Record<string, number | { soft: number; hard: number }>;
  secrets?: { source: string; target?: string }[];
  ssh?: string[];
  entitlements?: string[];
  privileged?: boolean;
  platforms?: string[];
  isolation?: string;
}

/**
 * `build` is a service's section in canonical form; `environment` gives the ARGs that are named without a value.
 * @throws StackError `build.not-supported` for isolation and networks of other kinds, `image.platform`
 */
export function readBuildSettings(
  build: Record<string, unknown>,
  buildPlatform: Platform,
  environment: (name: string) => string | undefined,
): BuildSettings {
  const section = build as BuildSection;
  if (section.isolation && section.isolation !== 'default') {
    const message = `build.isolation: "${section.isolation}" exists on Windows only.`;
    throw new StackError('build.not-supported', { message, hint: 'Take it out.' });
  }
  const args: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(section.args ?? {})) {
    const given = value ?? environment(name);
    if (given !== undefined) args[name] = given;
  }
  const ulimits = Object.entries(section.ulimits ?? {}).map(([name, limit]) => {
    const both = typeof limit === 'number' ? { soft: limit, hard: limit } : limit;
    return [name, { soft: both.soft, hard: both.hard }] as const;
  });
  return {
    args,
    platforms: [
      ...new Map((section.platforms ?? []).map(parsePlatform).map((one) => [showPlatform(one), one])).values(),
    ],
    buildPlatform,
    labels: section.labels ?? {},
    network: networkOf(section.network),
    noCache: section.no_cache ?? false,
    noCacheFilter: section.no_cache_filter ?? [],
    hosts: section.extra_hosts ?? [],
    ulimits: Object.fromEntries(ulimits),
    // A secret is known to the Dockerfile by its target, where it has one.
    secrets: (section.secrets ?? []).map(({ source, target }) => target ?? source),
    ssh: (section.ssh ?? []).map((agent) => agent.replace(/=.*$/s, '')),
    entitlements: section.entitlements ?? [],
    privileged: section.privileged ?? false,
    contexts: section.additional_contexts ?? {},
    ...(section.target ? { target: section.target } : {}),
    ...(section.shm_size ? { shmSize: Number(section.shm_size) } : {}),
  };
}

function networkOf(network: string | undefined): BuildSettings['network'] {
  if (network === undefined || network === 'default' || network === 'bridge') return 'default';
  if (network === 'none' || network === 'host') return network;
  throw new StackError('build.not-supported', {
    message: `build.network: "${network}" is no network of build steps.`,
    hint: 'It is default, none or host.',
  });
}
