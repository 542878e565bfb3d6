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
  method?: string;
  /** The login that was shown, in words: `the login of ann from /root/.docker/config.json`. */
  login?: string | undefined;
  /** Why a login that is filed could not be had. */
  problem?: string | undefined;
}

/** What a registry says, made fit for a terminal: no control characters, not without end. */
export function printable(text: string, length = 200): string {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim();
  return plain.length > length ? `${plain.slice(0, length)}…` : plain;
}

/** The error for an HTTP status that is no success. Transient where trying again is worth it. */
export function refusal(
  request: Request,
  status: number,
  retryAfter: string | undefined,
  detail: string,
): Transient | StackError {
  const { image, what, endpoint, method = 'GET', login, problem } = request;
  const { host } = endpoint;
  const resource = `image ${image}`;
  const said = detail ? ` (${detail})` : '';
  const refused = (message: string, hint: string) =>
    new StackError('image.registry-refused', { message, hint, resource, operation: `${method} ${what}` });
  const logIn = `\`stack login ${host === 'registry-1.docker.io' ? '' : host}`.trimEnd();
  switch (status) {
    case 401:
      if (problem)
        return refused(
          `Registry ${host} wants a login for ${image}, and ${problem}${said}.`,
          'Repair the helper, or log in anew.',
        );
      return login
        ? refused(
            `Registry ${host} does not accept ${login} for ${image}${said}.`,
            `Log in anew with ${logIn}\`, or check the name.`,
          )
        : refused(
            `Registry ${host} wants a login for ${image}${said}.`,
            `Check the name; for a private image run ${logIn}\`.`,
          );
    case 403:
      return refused(
        `Registry ${host} denies access to ${image}${said}.`,
        login
          ? `${login.charAt(0).toUpperCase()}${login.slice(1)} has no right to it, or an address rule of the registry is in the way.`
          : `Check the name; a login may give the right to it: ${logIn}\`.`,
      );
    case 404:
      return new StackError('image.not-found', {
        message: `Registry ${host} has no ${what.startsWith('manifest') ? '' : `${what} of `}${image}${said}.`,
        hint: 'Check the name and the tag.',
        resource,
      });
    case 413:
      return refused(
        `Registry ${host} finds ${what} of ${image} too large${said}.`,
        'The registry, or a proxy before it, sets the limit.',
      );
    case 429: {
      const wait = readRetryAfter(retryAfter);
      return new Transient(
        refused(
          `Registry ${host} refuses ${image} for now: too many requests${said}.`,
          wait === undefined
            ? 'Try later; a login raises the limit.'
            : `It asks to come back after ${Math.ceil(wait / 1000)} s; a login raises the limit.`,
        ),
        wait,
      );
    }
  }
  if (status === 408 || status >= 500) {
    return new Transient(
      refused(
        `Registry ${host} answered ${status} for ${what} of ${image}${said}.`,
        'The fault is at the registry; try later.',
      ),
      readRetryAfter(retryAfter),
    );
  }
  return new StackError('image.registry-protocol', {
    message: `Registry ${host} answered ${status} for ${what} of ${image}${said}.`,
    hint: 'Is it a container registry?',
    resource,
  });
}

/** The error for an address that a registry names and that is not gone to. `why`: a clause about it. */
export function sentAway({ endpoint, image, what }: Request, location: string, why: string): StackError {
  return new StackError('image.registry-protocol', {
    message: `Registry ${endpoint.host} sends for ${what} of ${image} to ${printable(location, 120)}, ${why}.`,
    hint: 'The fault is at the registry, or in its settings.',
    resource: `image ${image}`,
  });
}

/** Milliseconds of a Retry-After header: seconds or a date. Source: RFC 9110 section 10.2.3. */
export function readRetryAfter(text: string | undefined, now = Date.now()): number | undefined {
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
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  STALLED: 'it stopped sending, or never began',
  EPROTO: 'it speaks no TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it speaks no TLS',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself alone',
  SELF_SIGNED_CERT_IN_CHAIN: 'no authority that is trusted here has signed its certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'no authority that is trusted here has signed its certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'no authority that is trusted here has signed its certificate',
};
/** Trying again would wait as long for the same: a name nobody knows, a host that swallows every packet. */
const permanent = new Set(['ENOTFOUND', 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT', 'PROXY']);

/** The error for a request that got no answer, or whose answer broke off. `at`: the host that was asked in fact. */
export function unreachable(request: Request, at: string, thrown: unknown): Transient | StackError {
  const { code, reason } = faultOf(thrown);
  const { endpoint, image, what, method = 'GET' } = request;
  const isElsewhere = at.replace(/:(?:443|80)$/, '') !== endpoint.host.replace(/:(?:443|80)$/, '');
  const where = isElsewhere ? `${at}, where registry ${endpoint.host} sends,` : `Registry ${endpoint.host}`;
  const isPlain = reasons[code] === 'it speaks no TLS';
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code);
  const error = new StackError('image.registry-unreachable', {
    message: `${where} cannot be reached for ${image}: ${reasons[code] ?? reason}.`,
    hint: isPlain
      ? `For a registry without TLS set \`registries.${at}.insecure: true\` in /etc/stack/settings.yaml.`
      : isCertificate
        ? `Name the authority's certificate in /etc/stack/settings.yaml (\`registries.${at}.ca\`).`
        : code === 'PROXY'
          ? 'Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and the login they carry.'
          : 'Check the network, or set a mirror in /etc/stack/settings.yaml (`registries.<host>.mirrors`).',
    resource: `image ${image}`,
    operation: `${method} ${what}`,
    errno: code || undefined,
    cause: thrown,
  });
  return isCertificate || isPlain || permanent.has(code) ? error : new Transient(error);
}

/** The system's error may lie in `cause`, or be one of several in `errors`. */
export function faultOf(thrown: unknown): { code: string; reason: string } {
  for (let at = thrown as { code?: string; cause?: unknown; errors?: unknown[]; message?: string } | undefined; at; ) {
    if (typeof at.code === 'string') return { code: at.code, reason: printable(at.message || at.code) };
    const next = (at.cause ?? at.errors?.[0]) as typeof at;
    if (!next || next === at) return { code: '', reason: printable(at.message ?? String(at)) };
    at = next;
  }
  return { code: '', reason: String(thrown) };
}
