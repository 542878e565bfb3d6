/** Logins as `docker login` keeps them, in its file or with a helper. Source: docker CLI, "config.json". */
import { type AuthEntry, changeEntry, configFile, type DockerConfig, readConfigFile } from './docker-config.ts';

export interface Credentials {
  user: string;
  password: string;
  /** Refresh token of an OAuth2 login; used instead of user and password where it is there. */
  identityToken?: string;
  /** Shown to the registry as it is, instead of everything else. */
  registryToken?: string;
}

export interface Login {
  credentials?: Credentials;
  /** Where they are kept: a file, or a helper. */
  place: string;
  /** Why those that are filed could not be had. */
  problem?: string;
}

/** Login for the first of `keys` that has one. */
export async function findLogin(keys: string[], file = configFile()): Promise<Login> {
  const config = readConfigFile(file);
  // Not ours to judge: the registry then says that it wants a login.
  if (!config) return { place: file, problem: `${file} is not readable as JSON` };
  const problems: string[] = [];
  for (const key of keys) {
    const helper = helperOf(config, key);
    if (helper) {
      const { getSecret } = await import('./credential-helper.ts');
      try {
        const found = await getSecret(helper, key);
        if (found) return { credentials: fromSecret(found), place: `docker-credential-${helper}` };
      } catch (thrown) {
        problems.push((thrown as Error).message);
      }
    }
    const credentials = readEntry(of(config.auths, key));
    if (credentials) return { credentials, place: file };
  }
  return { place: file, ...(problems[0] ? { problem: problems[0] } : {}) };
}

/** Credentials alone; undefined where there are none. */
export async function findCredentials(keys: string[], file = configFile()): Promise<Credentials | undefined> {
  return (await findLogin(keys, file)).credentials;
}

/** Keeps a login where docker would. Answers where. @throws StackError `config.unreadable`; Error of a helper in words */
export async function storeLogin(key: string, credentials: Credentials, file = configFile()): Promise<Login> {
  const helper = helperOf(readConfigFile(file) ?? {}, key);
  const { user, password, identityToken } = credentials;
  if (helper) {
    const { storeSecret } = await import('./credential-helper.ts');
    const secret = identityToken
      ? { Username: '<token>', Secret: identityToken }
      : { Username: user, Secret: password };
    await storeSecret(helper, { ServerURL: key, ...secret });
    // Docker leaves an empty entry, by which it lists what it is logged in to.
    changeEntry(file, key, {});
    return { credentials, place: `docker-credential-${helper}` };
  }
  const auth = Buffer.from(`${user}:${identityToken ? '' : password}`).toString('base64');
  changeEntry(file, key, { auth, ...(identityToken ? { identitytoken: identityToken } : {}) });
  return { credentials, place: file };
}

/** Forgets the login of each of `keys`. Answers whether there was one. @throws as {@link storeLogin} */
export async function eraseLogin(keys: string[], file = configFile()): Promise<boolean> {
  const config = readConfigFile(file) ?? {};
  let isFound = false;
  for (const key of keys) {
    const helper = helperOf(config, key);
    if (helper) {
      const { eraseSecret, getSecret } = await import('./credential-helper.ts');
      isFound = (await getSecret(helper, key).catch(() => undefined)) !== undefined || isFound;
      await eraseSecret(helper, key);
    }
    for (const name of Object.keys(config.auths ?? {})) {
      if (!isSame(name, key)) continue;
      isFound = true;
      changeEntry(file, name, null);
    }
  }
  return isFound;
}

function helperOf(config: DockerConfig, key: string): string | undefined {
  return of(config.credHelpers, key) || config.credsStore || undefined;
}

/** The value filed under `key`, or under another spelling of its host. */
function of<T>(filed: Record<string, T> | undefined, key: string): T | undefined {
  const entries = Object.entries(filed ?? {});
  return (entries.find(([name]) => name === key) ?? entries.find(([name]) => isSame(name, key)))?.[1];
}

function isSame(name: string, key: string): boolean {
  return name === key || hostOf(name) === hostOf(key);
}

function readEntry(entry: AuthEntry | undefined): Credentials | undefined {
  const decoded = entry?.auth ? Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '') : '';
  const colon = decoded.indexOf(':');
  const user = (colon > 0 ? decoded.slice(0, colon) : entry?.username) ?? '';
  const password = (colon > 0 ? decoded.slice(colon + 1) : entry?.password) ?? '';
  const { identitytoken: identityToken, registrytoken: registryToken } = entry ?? {};
  if (!identityToken && !registryToken && !(user && password)) return undefined;
  return { user, password, ...(identityToken ? { identityToken } : {}), ...(registryToken ? { registryToken } : {}) };
}

function fromSecret({ user, secret }: { user: string; secret: string }): Credentials {
  return user === '<token>' ? { user, password: '', identityToken: secret } : { user, password: secret };
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
