/** What went wrong at a registry, in words: each status and each fault of the network has one. */
import { StackError } from '../../../schemas/errors.ts';
import type { Endpoint } from './endpoint.ts';

/** A fault that another try may cure. `afterMs`: what the registry asked to wait. */
export class Transient extends Error {
  readonly error: StackError;
  readonly afterMs: number | undefined;
  constructor(error: StackError, afterMs?: number) {
    super(error.message);
    this.error = error;
    this.afterMs = afterMs;
  }
}

export interface Request {
  endpoint: Endpoint;
  /** What is asked for, as errors name it: `redis:7`. */
  image: string;
  /** `manifest 7`, `blob sha256:…`. */
  what: string;
}

/** The error for an HTTP status that is no success. Transient where trying again is worth it. */
export function refusal(
  request: Request,
  status: number,
  retryAfter: string | null,
  detail: string,
): Transient | StackError {
  const { image, what, endpoint } = request;
  const resource = `image ${image}`;
  const said = detail ? ` (${detail})` : '';
  const refused = (message: string, hint: string) =>
    new StackError('image.registry-refused', { message, hint, resource, operation: `GET ${what}` });
  switch (status) {
    case 401:
      return refused(
        `Registry ${endpoint.host} wants a login for ${image}${said}.`,
        `Check the name; for a private image run \`docker login ${endpoint.host}\` or put the login into ~/.docker/config.json.`,
      );
    case 403:
      return refused(
        `Registry ${endpoint.host} denies access to ${image}${said}.`,
        'The login of ~/.docker/config.json has no right to it, or an address rule of the registry is in the way.',
      );
    case 404:
      return new StackError('image.not-found', {
        message: `Registry ${endpoint.host} has no ${what.startsWith('blob') ? `${what} of ` : ''}${image}${said}.`,
        hint: 'Check the name and the tag.',
        resource,
      });
    case 429:
      return new Transient(
        refused(
          `Registry ${endpoint.host} refuses ${image} for now: too many requests${said}.`,
          retryAfter
            ? `It asks to come back after ${retryAfter} s; a login raises the limit.`
            : 'Try later; a login raises the limit.',
        ),
        readRetryAfter(retryAfter),
      );
  }
  if (status === 408 || status >= 500) {
    return new Transient(
      refused(
        `Registry ${endpoint.host} answered ${status} for ${what} of ${image}${said}.`,
        'The fault is at the registry; try later.',
      ),
      readRetryAfter(retryAfter),
    );
  }
  return new StackError('image.registry-protocol', {
    message: `Registry ${endpoint.host} answered ${status} for ${what} of ${image}${said}.`,
    hint: 'Is it a container registry?',
    resource,
  });
}

/** Milliseconds of a Retry-After header: seconds or a date. Source: RFC 9110 section 10.2.3. */
export function readRetryAfter(text: string | null, now = Date.now()): number | undefined {
  if (!text) return undefined;
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  UND_ERR_SOCKET: 'the connection was dropped',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  STALLED: 'it stopped sending',
  'bad port': 'its port is one of those HTTP clients refuse (fetch standard, port blocking)',
};
/** Trying again would wait as long for the same: a name nobody knows, a host that swallows every packet. */
const permanent = new Set(['ENOTFOUND', 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** The error for a request that got no answer, or whose answer broke off. */
export function unreachable(request: Request, thrown: unknown): Transient | StackError {
  const { code, reason } = faultOf(thrown);
  const isCertificate = /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL/.test(code);
  const error = new StackError('image.registry-unreachable', {
    message: `Registry ${request.endpoint.host} cannot be reached for ${request.image}: ${reasons[code] ?? reasons[reason] ?? reason}.`,
    hint: isCertificate
      ? 'For a registry without a valid certificate set `registries.<host>.insecure: true` in /etc/stack/settings.yaml.'
      : 'Check the network, or set a mirror in /etc/stack/settings.yaml (`registries.<host>.mirrors`).',
    resource: `image ${request.image}`,
    operation: `GET ${request.what}`,
    errno: code || undefined,
    cause: thrown,
  });
  return isCertificate || permanent.has(code) ? error : new Transient(error);
}

/** fetch hides the system's error in `cause`, several of them in `errors`. */
export function faultOf(thrown: unknown): { code: string; reason: string } {
  for (let at = thrown as { code?: string; cause?: unknown; errors?: unknown[]; message?: string } | undefined; at; ) {
    if (typeof at.code === 'string') return { code: at.code, reason: at.message ?? at.code };
    const next = (at.cause ?? at.errors?.[0]) as typeof at;
    if (!next || next === at) return { code: '', reason: at.message ?? String(at) };
    at = next;
  }
  return { code: '', reason: String(thrown) };
}
