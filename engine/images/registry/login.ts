/** `stack login` and `stack logout`: a login is tried out at the registry before it is kept. */
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { Settings } from '../../../schemas/settings.ts';
import { parseReference } from '../reference.ts';
import { Client, defaultTiming, type Timing } from './client.ts';
import { type Credentials, eraseLogin, findLogin, storeLogin } from './credentials.ts';
import { hubKey, registryEndpoint } from './endpoint.ts';

export interface LoginRequest {
  /** As docker takes it: a host, with scheme and path or not; empty: Docker Hub. */
  server: string;
  settings: Settings;
  signal: AbortSignal;
  timing?: Partial<Timing>;
}

/** Docker's name for the server, and its registry. @throws StackError `usage` */
export function readServer(server: string): { registry: string; key: string; shown: string } {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (host === '' || host === 'docker.io' || host === 'index.docker.io' || host === 'registry-1.docker.io') {
    return { registry: 'docker.io', key: hubKey, shown: 'Docker Hub' };
  }
  try {
    // A word without a dot or a port is a host here, though in a reference it would be a name.
    if (!/^[a-zA-Z0-9-]+$/.test(host)) {
      if (parseReference(`${host}/x`).registry !== host) throw new Error('it is none');
    }
  } catch (thrown) {
    throw asStackError(undefined, 'usage', {
      message: `"${server}" is no registry.`,
      hint: 'A registry reads host[:port], as in registry.example.com:5000.',
      cause: thrown,
    });
  }
  return { registry: host, key: host, shown: host };
}

/**
 * Tries the login out, then keeps it where docker would: answers where, in words.
 * @throws StackError `image.registry-refused` for a wrong one, `config.unreadable` where it cannot be kept
 */
export async function login(credentials: Credentials, request: LoginRequest): Promise<{ place: string }> {
  const { key } = readServer(request.server);
  const refreshToken = await tryOut(credentials, request);
  const kept = refreshToken ? { ...credentials, identityToken: refreshToken } : credentials;
  try {
    return await storeLogin(key, kept);
  } catch (thrown) {
    throw asStackError(thrown, 'config.unreadable', {
      message: `The login is right, and cannot be kept: ${(thrown as Error).message}.`,
      hint: 'Repair the helper, or take it out of the docker configuration.',
    });
  }
}

/** The login that is filed; undefined where there is none. */
export async function filedLogin(server: string): Promise<Credentials | undefined> {
  const { key, registry } = readServer(server);
  return (await findLogin([key, registry])).credentials;
}

/** Forgets a login. Answers whether there was one. @throws StackError `config.unreadable` */
export async function logout(server: string): Promise<boolean> {
  const { key, registry } = readServer(server);
  try {
    return await eraseLogin([...new Set([key, registry])]);
  } catch (thrown) {
    throw asStackError(thrown, 'config.unreadable', {
      message: `The login cannot be forgotten: ${(thrown as Error).message}.`,
      hint: 'Repair the helper, or take it out of the docker configuration.',
    });
  }
}

/** Asks for what every registry has, with the login. Answers the refresh token of a token service that gives one. */
async function tryOut(credentials: Credentials, request: LoginRequest): Promise<string | undefined> {
  const { registry, shown } = readServer(request.server);
  const endpoint = registryEndpoint(registry, '', request.settings);
  using client = new Client(endpoint, {
    image: shown,
    doing: 'Logging in to',
    signal: request.signal,
    timing: { ...defaultTiming, ...request.timing },
    scopes: [],
    login: { credentials, place: '' },
  });
  try {
    await client.retry(async () => {
      const answer = await client.exchange(client.request('login'), '/v2/');
      answer.cancel();
    });
  } catch (thrown) {
    const error = asStackError(thrown);
    if (error.code !== 'image.registry-refused' || error.message.includes('too many')) throw error;
    throw new StackError('image.registry-refused', {
      message: `Registry ${endpoint.host} does not accept the login of ${credentials.user}.`,
      hint: 'Check user and password; some registries want a token in place of the password.',
      cause: error,
    });
  }
  return client.authorization.refreshToken;
}
