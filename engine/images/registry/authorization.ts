/**
 * Answers a registry's challenge. Source: distribution "Token Authentication Specification" and "OAuth2 token"; RFC 7617
 * (Basic), RFC 6750 (Bearer).
 */
import { StackError } from '../../../schemas/errors.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { type Request, refusal } from './failure.ts';

type Exchange = (
  url: string,
  init: RequestInit,
) => Promise<{ status: number; headers: Headers; body: ReadableStream<Uint8Array> | null; release(): void }>;

/** Value of the Authorization header; undefined where there is nothing to answer with. @throws StackError, Transient */
export async function authorize(
  request: Request,
  challenge: string | null,
  exchange: Exchange,
): Promise<string | undefined> {
  const credentials = await findCredentials(request.endpoint.credentialKeys);
  const { scheme, parameters } = readChallenge(challenge ?? '');
  if (scheme === 'basic') return credentials && basic(credentials);
  if (scheme !== 'bearer' || !parameters.realm) return undefined;
  let url: URL;
  try {
    url = new URL(parameters.realm);
  } catch {
    throw new StackError('image.registry-protocol', {
      message: `Registry ${request.endpoint.host} sends for a token to "${parameters.realm}", which is no address.`,
    });
  }
  const query = new URLSearchParams();
  if (parameters.service) query.set('service', parameters.service);
  query.set('scope', parameters.scope ?? `repository:${request.endpoint.repository}:pull`);
  let init: RequestInit = {};
  if (credentials?.identityToken) {
    query.set('grant_type', 'refresh_token');
    query.set('refresh_token', credentials.identityToken);
    query.set('client_id', 'stack');
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    init = { method: 'POST', body: query.toString(), headers };
  } else {
    for (const [key, value] of query) url.searchParams.set(key, value);
    if (credentials) init = { headers: { authorization: basic(credentials) } };
  }
  const answer = await exchange(url.href, init);
  try {
    const text = answer.body ? await new Response(answer.body).text() : '';
    if (answer.status !== 200) {
      throw refusal({ ...request, what: 'token' }, answer.status, answer.headers.get('retry-after'), '');
    }
    const { token, access_token: accessToken } = JSON.parse(text) as { token?: string; access_token?: string };
    const value = token ?? accessToken;
    return value ? `Bearer ${value}` : undefined;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new StackError('image.registry-protocol', {
      message: `The token service ${url.host} of registry ${request.endpoint.host} does not answer with JSON.`,
    });
  } finally {
    answer.release();
  }
}

function basic({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** Scheme and parameters of a WWW-Authenticate header with one challenge. Source: RFC 9110 section 11.6.1. */
export function readChallenge(header: string): { scheme: string; parameters: Record<string, string> } {
  const [, scheme = '', rest = ''] = /^\s*([A-Za-z0-9-]+)\s*(.*)$/.exec(header) ?? [];
  const parameters: Record<string, string> = {};
  for (const [, key, quoted, bare] of rest.matchAll(/([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)) {
    parameters[key!.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
  }
  return { scheme: scheme.toLowerCase(), parameters };
}
