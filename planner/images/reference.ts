/** Image references as docker reads them. Source: distribution `reference` grammar; OCI distribution-spec "pulling". */
import { StackError } from '../../schemas/errors.ts';

export interface Reference {
  /** `docker.io`, `localhost:5000`. */
  registry: string;
  /** `library/redis`. */
  repository: string;
  /** Absent where a digest is given. */
  tag?: string;
  digest?: string;
  /** The normalised whole: `docker.io/library/redis:latest`, `docker.io/library/redis@sha256:…`. */
  name: string;
}

const separator = '(?:[._]|__|-+)';
const component = `[a-z0-9]+(?:${separator}[a-z0-9]+)*`;
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const registryPattern = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Parses and normalises: no registry means docker.io, one component there means `library/`, no tag means `latest`. Of a
 * tag and a digest together the digest decides, and the tag is dropped.
 * @throws StackError `image.reference`
 */
export function parseReference(text: string): Reference {
  const refuse = (why: string, hint?: string): never => {
    throw new StackError('image.reference', {
      message: `Image reference "${text}" is not valid: ${why}.`,
      hint:
        hint ?? 'A reference reads [registry[:port]/]name[:tag][@sha256:…], as in redis:7 or localhost:5000/team/api.',
    });
  };
  if (text === '') refuse('it is empty');
  let rest = text;
  let digest: string | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!digestPattern.test(digest)) refuse(`"${digest}" is not a digest`);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!tagPattern.test(tag)) refuse(`"${tag}" is not a tag`);
  }
  let registry = 'docker.io';
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  if (first && (/[.:]|[A-Z]|^\[/.test(first) || first === 'localhost')) {
    registry = first === 'index.docker.io' ? 'docker.io' : first;
    rest = rest.slice(slash + 1);
  }
  if (!registryPattern.test(registry)) refuse(`"${registry}" is not a registry host`);
  const port = /:([0-9]+)$/.exec(registry)?.[1];
  if (port && Number(port) > 65535) refuse(`port ${port} is above 65535`);
  if (rest === '') refuse('the name is missing');
  if (!repositoryPattern.test(rest)) {
    const lower = rest.toLowerCase();
    if (lower !== rest && repositoryPattern.test(lower)) {
      refuse('names are lower case', `Did you mean "${text.replace(rest, lower)}"?`);
    }
    refuse(`"${rest}" is not a name`);
  }
  if (/^[0-9a-f]{64}$/.test(rest)) refuse('a bare image id cannot be pulled');
  const repository = registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  if (registry.length + repository.length + 1 > 255) refuse('the name is longer than 255 characters');
  const base = { registry, repository };
  if (digest) return { ...base, digest, name: `${registry}/${repository}@${digest}` };
  tag ??= 'latest';
  return { ...base, tag, name: `${registry}/${repository}:${tag}` };
}

/** The short form people write: `redis:7` for `docker.io/library/redis:7`. */
export function familiar(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '');
}
