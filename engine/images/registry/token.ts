/**
 * Tokens of a registry's token service. Source: distribution, "Token Authentication Specification" and "OAuth2 Token
 * Authentication"; RFC 6750.
 */
import { StackError } from '../../../schemas/errors.ts';
import type { Credentials } from './credentials.ts';
import { printable, type Request, refusal } from './failure.ts';
import type { Answer, Transport } from './transport.ts';

export interface Token {
  value: string;
  /** `performance.now()` from which on it is not to be used any more. */
  until: number;
  /** Stands for the login from now on, where it was asked for. */
  refreshToken?: string;
}

export interface TokenRequest {
  /** Address of the service; checked. */
  realm: URL;
  service: string | undefined;
  scopes: string[];
  credentials: Credentials | undefined;
  /** Also asks for a refresh token: for `login`. */
  isOffline?: boolean;
}

/** A token is some kilobytes; more is a mistake. Bytes. */
const tokenLimit = 1024 * 1024;
/** What the specification says of a token that names no time. Seconds. */
const defaultLifetime = 60;
const clientId = 'stack';

/** @throws StackError, Transient */
export async function fetchToken(transport: Transport, request: Request, asked: TokenRequest): Promise<Token> {
  const of = { ...request, what: 'token' };
  const answer = await (asked.credentials?.identityToken ? refresh : grant)(transport, of, asked);
  if (answer.status !== 200) {
    const detail = printable(await answer.text().catch(() => ''), 200);
    throw refusal(of, answer.status === 400 ? 401 : answer.status, answer.retryAfter, oneOf(detail));
  }
  const protocol = (message: string) =>
    new StackError('image.registry-protocol', { message, resource: `image ${request.image}` });
  let content: Record<string, unknown>;
  try {
    content = JSON.parse(await answer.text()) as Record<string, unknown>;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw protocol(
      `The token service ${asked.realm.host} of registry ${request.endpoint.host} does not answer with JSON.`,
    );
  }
  const value = content.token || content.access_token;
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw protocol(`The token service ${asked.realm.host} of registry ${request.endpoint.host} gives no token.`);
  }
  const seconds =
    typeof content.expires_in === 'number' && content.expires_in > 0 ? content.expires_in : defaultLifetime;
  const refreshToken = content.refresh_token;
  return {
    value,
    until: performance.now() + seconds * 900,
    ...(typeof refreshToken === 'string' && refreshToken ? { refreshToken } : {}),
  };
}

interface Reply {
  status: number;
  retryAfter: string | undefined;
  text(): Promise<string>;
}

/** By GET, with name and password where there are some. */
async function grant(transport: Transport, request: Request, asked: TokenRequest): Promise<Reply> {
  const url = new URL(asked.realm);
  if (asked.service) url.searchParams.set('service', asked.service);
  for (const scope of asked.scopes) url.searchParams.append('scope', scope);
  const { credentials } = asked;
  if (credentials) url.searchParams.set('account', credentials.user);
  if (asked.isOffline) {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', clientId);
  }
  const headers: Record<string, string> = credentials ? { authorization: basic(credentials) } : {};
  return reply(request, await transport.exchange(request, url.href, { headers }));
}

/** By POST, with the refresh token of an earlier login. */
async function refresh(transport: Transport, request: Request, asked: TokenRequest): Promise<Reply> {
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: asked.credentials!.identityToken! });
  if (asked.service) form.set('service', asked.service);
  if (asked.scopes.length > 0) form.set('scope', asked.scopes.join(' '));
  form.set('client_id', clientId);
  const content = Buffer.from(form.toString());
  const init = {
    method: 'POST' as const,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    content: { size: content.length, open: () => [content] },
    isSecret: true,
  };
  return reply(request, await transport.exchange({ ...request, method: 'POST' }, asked.realm.href, init));
}

function reply(request: Request, answer: Answer): Reply {
  return {
    status: answer.status,
    retryAfter: answer.header('retry-after'),
    text: () => readText(request, answer, tokenLimit),
  };
}

/** The whole of a small answer. @throws StackError `image.registry-protocol` where it is longer than `limit` bytes */
export async function readText(request: Request, answer: Answer, limit: number): Promise<string> {
  return (await readBytes(request, answer, limit)).toString('utf8');
}

/** As {@link readText}. */
export async function readBytes(request: Request, answer: Answer, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = Number(answer.header('content-length') ?? 0) > limit ? limit + 1 : 0;
  if (size > limit) answer.cancel();
  else {
    for await (const chunk of answer.body()) {
      size += chunk.length;
      if (size > limit) break;
      parts.push(chunk);
    }
  }
  if (size > limit) {
    throw new StackError('image.registry-protocol', {
      message: `Registry ${request.endpoint.host} sends a ${request.what.replace(/ .*/, '')} of more than ${limit} bytes for ${request.image}.`,
      hint: 'Is it a container registry?',
      resource: `image ${request.image}`,
    });
  }
  return Buffer.concat(parts);
}

/** The words of an error document, the specification's or OAuth2's. */
export function oneOf(text: string): string {
  try {
    const { errors, details, error_description, error } = JSON.parse(text) as {
      errors?: { code?: string; message?: string }[];
      details?: string;
      error_description?: string;
      error?: string;
    };
    const words =
      errors?.map(({ code, message }) => message || code).join('; ') ?? error_description ?? details ?? error;
    return printable(String(words ?? ''));
  } catch {
    return '';
  }
}

/** RFC 7617. */
export function basic({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
