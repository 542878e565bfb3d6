/** What FROM and --from name besides stages: images, and the contexts of `additional_contexts`. */
import type { InstructionText } from '../../../schemas/dockerfile.ts';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Platform } from '../../../schemas/oci-image.ts';
import { showPlatform } from '../../images/platform.ts';
import { familiar, parseReference } from '../../images/reference.ts';
import { nearest } from '../../load/suggest.ts';
import { placeOf, refuse } from '../site.ts';
import { parseGitAddress } from './git.ts';
import { archiveVertex, rangeOf, type Session, scratchVertex } from './session.ts';
import { laterStage } from './stages.ts';
import { beginState, emptyImage, type StageState } from './state.ts';

export interface Naming {
  source: InstructionText;
  /** `[build 1/4] `. */
  prefix: string;
  stage?: string;
}

/** The context called `name`: as written, or as an image's short name without `:latest`. */
export function contextNamed(session: Session, name: string): string | undefined {
  if (/^(?:scratch|context)$/i.test(name)) return undefined;
  const { contexts } = session.settings;
  const wanted = new Set([name.toLowerCase()]);
  try {
    wanted.add(familiar(parseReference(name).name).replace(/:latest$/, ''));
  } catch {}
  const key = Object.keys(contexts).find((candidate) => wanted.has(candidate.toLowerCase()));
  return key === undefined ? undefined : contexts[key];
}

/** @throws StackError where there is no such image, or its name is none */
export async function imageState(
  session: Session,
  name: string,
  platform: Platform,
  naming: Naming,
  stages: string[],
): Promise<StageState> {
  const written = contextNamed(session, name);
  if (written !== undefined) return contextState(session, name, written, platform, naming);
  if (name === 'scratch') return beginState(scratchVertex(session, naming.source), platform, emptyImage(platform));
  const suggest = (error: StackError): never => {
    const meant = nearest(name, stages);
    const later = laterStage(session.tree, name, naming.source);
    const hint = later ?? (meant ? `Did you mean the stage ${meant}? ${error.hint ?? ''}`.trim() : error.hint);
    const where = placeOf(naming.source, name);
    throw new StackError(error.code, { ...error, message: error.message, hint, where, cause: error });
  };
  let reference: string;
  try {
    reference = parseReference(name).name;
  } catch (thrown) {
    return suggest(asStackError(thrown));
  }
  return pull(session, reference, platform, naming).catch((thrown) => suggest(asStackError(thrown)));
}

async function pull(session: Session, reference: string, platform: Platform, naming: Naming): Promise<StageState> {
  const resolved = await session.world.resolveImage(reference, platform);
  const { source, prefix, stage } = naming;
  const { config, digest } = resolved;
  if (config.os !== platform.os || config.architecture !== platform.architecture) {
    const offered = showPlatform({ os: config.os, architecture: config.architecture });
    const message = `${familiar(reference)} is for ${offered}, not ${showPlatform(platform)}.`;
    session.checks.report('InvalidBaseImagePlatform', source, message);
  }
  if (config.rootfs.diff_ids.length === 0) {
    return beginState(scratchVertex(session, source), platform, config);
  }
  const vertex = session.vertices.add({ kind: 'source.image', reference, digest, platform }, [], {
    name: `${prefix}FROM ${reference}${reference.includes('@') ? '' : `@${digest}`}`,
    where: rangeOf(source),
    ...(stage === undefined ? {} : { stage }),
  });
  return beginState(vertex, platform, config, { base: vertex });
}

/** @throws StackError `build.context` where the context is none */
export async function contextState(
  session: Session,
  name: string,
  written: string,
  platform: Platform,
  naming: Naming,
): Promise<StageState> {
  const { vertices, world } = session;
  const { source } = naming;
  const meta = { name: `[context ${name}] ${written}`, where: rangeOf(source) };
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(?:\/\/)?(.*)$/is.exec(written) ?? [];
  const wrong = (why: string, hint?: string): never =>
    refuse(source, `The context ${name} is "${written}": ${why}.`, { code: 'build.context', hint, word: name });
  if (scheme === 'docker-image') {
    if (rest === 'scratch') return beginState(scratchVertex(session, source), platform, emptyImage(platform));
    return pull(session, parseReference(rest!).name, platform, naming);
  }
  if (scheme === 'oci-layout') return pull(session, `oci-layout://${rest}`, platform, naming);
  if (scheme === 'service' || scheme === 'target') {
    if (!world.resolveService) return wrong('only the build of a stack knows services');
    const graph = await world.resolveService(rest!, platform);
    const result = graph.results[0] ?? wrong('that service builds nothing for this platform');
    for (const vertex of Object.values(graph.vertices)) vertices.include(vertex);
    Object.assign(session.secrets, graph.secrets);
    Object.assign(session.ssh, graph.ssh);
    for (const entitlement of graph.entitlements) session.entitlements.add(entitlement);
    return beginState(result.vertex, platform, result.config, result);
  }
  let git: ReturnType<typeof parseGitAddress>;
  try {
    git = parseGitAddress(written);
  } catch (thrown) {
    return wrong((thrown as Error).message);
  }
  if (git) return beginState(vertices.add(git, [], meta), platform, emptyImage(platform));
  if (scheme === 'http' || scheme === 'https') {
    const file = { kind: 'source.http' as const, url: written, filename: 'context' };
    const tree = archiveVertex(session, file, source, meta.name);
    return beginState(tree, platform, emptyImage(platform));
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) {
    return wrong(
      `nothing is known of ${scheme}://`,
      'It takes a directory, a git or http address, docker-image://, oci-layout:// or service:.',
    );
  }
  const ignore = (await world.ignoreOf?.(written)) ?? [];
  const operation = { kind: 'source.context' as const, name, location: written, ignore };
  return beginState(vertices.add(operation, [], meta), platform, emptyImage(platform));
}
