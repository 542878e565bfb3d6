/** What a service's `build` section and the command line ask of the builder. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readBuildSettings } from '../../planner/dockerfile/settings.ts';
import { builtName } from '../../planner/load/supported.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project } from '../../schemas/project.ts';
import { parseReference } from '../images/images.ts';
import { readAttestations } from './attest/options.ts';
import type { BuildRequest } from './builds.ts';
import { readCaches } from './caches.ts';
import { buildPlatform, platformsOf } from './platforms.ts';

interface Section {
  context: string;
  dockerfile?: string;
  dockerfile_inline?: string;
  tags?: string[];
  pull?: boolean;
  secrets?: { source: string; target?: string }[];
  ssh?: string[];
  cache_from?: string[];
  cache_to?: string[];
  provenance?: unknown;
  sbom?: unknown;
}

/** What the command line changes of it. */
export interface BuildOverrides {
  buildArg?: string[];
  cache?: boolean;
  pull?: boolean;
  ssh?: string;
  /** Bytes that a step may take. */
  memory?: number;
  provenance?: string;
  sbom?: string;
  /** Instead of those of the stack file. */
  platform?: string[];
  /** The image is to run here: one platform, that of the service. */
  isForOne?: boolean;
}

/** @throws a StackError for what cannot be: a service that builds nothing, a secret that is not there */
export function requestOf(
  project: Project,
  service: string,
  flags: BuildOverrides,
  environment: NodeJS.ProcessEnv,
  common: Pick<BuildRequest, 'emit' | 'warn' | 'signal'>,
): BuildRequest {
  const { build, image, platform } = project.services[service] ?? {};
  if (!build) {
    throw new StackError('build.context', {
      message: `The service ${service} ${project.services[service] ? 'has no `build`' : 'does not exist'}, and a build names it as a context.`,
      hint: 'service:NAME is a service of the stack that is built; an image is docker-image://NAME.',
    });
  }
  const section = build as unknown as Section;
  const settings = readBuildSettings(build, buildPlatform(), (name) => environment[name]);
  settings.platforms = platformsOf(
    service,
    settings.platforms,
    platform || environment.DOCKER_DEFAULT_PLATFORM || undefined,
    flags,
  );
  for (const entry of flags.buildArg ?? []) {
    const at = entry.indexOf('=');
    const value = at < 0 ? environment[entry] : entry.slice(at + 1);
    if (value !== undefined) settings.args[at < 0 ? entry : entry.slice(0, at)] = value;
  }
  if (flags.cache === false) settings.noCache = true;
  const agents = [...(section.ssh ?? []), ...(flags.ssh ? [flags.ssh] : [])];
  settings.ssh = agents.map((agent) => agent.replace(/=.*$/s, ''));
  return {
    service,
    context: isFetched(section.context) ? section.context : resolve(section.context),
    dockerfile: section.dockerfile ?? 'Dockerfile',
    inline: section.dockerfile_inline,
    settings,
    pull: flags.pull ?? section.pull ?? false,
    names: [image ?? builtName(project, service), ...(section.tags ?? [])].map((name) => parseReference(name).name),
    secrets: secretsOf(project, section, environment),
    ssh: new Map(agents.map((agent) => agentOf(agent, environment))),
    caches: readCaches(section.cache_from, section.cache_to),
    ...(flags.memory === undefined ? {} : { memory: flags.memory }),
    // What is built to run here goes to no one else.
    attestations: flags.isForOne
      ? { provenance: undefined, sbom: false }
      : readAttestations(flags.provenance ?? section.provenance, flags.sbom ?? section.sbom),
    requestOf: (other) => requestOf(project, other, flags, environment, common),
    ...common,
  };
}

/** What planner/load leaves as it was written. */
export const isFetched = (context: string) => /^[a-z][a-z0-9+.-]*:\/\/|^git@|^github\.com\//.test(context);

function secretsOf(project: Project, { secrets = [] }: Section, environment: NodeJS.ProcessEnv): Map<string, Buffer> {
  const declared = project.secrets as Record<string, { file?: string; environment?: string }> | undefined;
  return new Map(
    secrets.flatMap(({ source, target }) => {
      const secret = declared?.[source];
      const value = secret?.file ? readSecret(source, secret.file) : environment[secret?.environment ?? ''];
      return value === undefined ? [] : [[target ?? source, Buffer.from(value)] as const];
    }),
  );
}

function readSecret(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new StackError('build.secret', {
      message: `The secret ${name} cannot be read from ${file}: ${(thrown as NodeJS.ErrnoException).code}.`,
      hint: `Check secrets.${name}.file in the stack file.`,
    });
  }
}

function agentOf(text: string, environment: NodeJS.ProcessEnv): [string, string] {
  const at = text.indexOf('=');
  const id = at < 0 ? text : text.slice(0, at);
  const socket = at < 0 ? environment.SSH_AUTH_SOCK : text.slice(at + 1);
  if (socket) return [id, socket];
  throw new StackError('build.secret', {
    message: `There is no ssh agent for ${id}: SSH_AUTH_SOCK is not set.`,
    hint: 'Start one with ssh-agent, or name its socket: --ssh default=/path/to/socket.',
  });
}
