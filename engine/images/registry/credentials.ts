/**
 * Credentials as `docker login` keeps them. Source: docker CLI "config.json" `auths`, `credHelpers`, `credsStore`;
 * docker-credential-helpers "Development" (the `get` command).
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Credentials {
  user: string;
  password: string;
  /** Refresh token of an OAuth2 login; used instead of user and password where it is there. */
  identityToken?: string;
}

interface DockerConfig {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  /** Helper by registry, and the one for all others: `docker-credential-<name>` on the PATH. */
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/** Longest time a helper may take: some ask the user. Milliseconds. */
const helperTimeout = 60_000;

/** File the credentials are read from: `$DOCKER_CONFIG/config.json`, by default in `~/.docker`. */
export function credentialsFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');
}

/** Credentials for the first of `keys` that has some; undefined where none has. */
export async function findCredentials(keys: string[], file = credentialsFile()): Promise<Credentials | undefined> {
  let config: DockerConfig;
  try {
    config = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // None, or not ours to judge: the registry then says that it wants some.
    return undefined;
  }
  for (const key of keys) {
    const helper = of(config.credHelpers, key) ?? config.credsStore;
    const found = (helper && (await askHelper(helper, key))) || readEntry(of(config.auths, key));
    if (found) return found;
  }
  return undefined;
}

/** The value filed under `key`, or under another spelling of its host. */
function of<T>(filed: Record<string, T> | undefined, key: string): T | undefined {
  return Object.entries(filed ?? {}).find(([name]) => name === key || hostOf(name) === hostOf(key))?.[1];
}

function readEntry(entry: NonNullable<DockerConfig['auths']>[string] | undefined): Credentials | undefined {
  const decoded = entry?.auth ? Buffer.from(entry.auth, 'base64').toString('utf8') : '';
  const colon = decoded.indexOf(':');
  const user = colon > 0 ? decoded.slice(0, colon) : entry?.username;
  const password = colon > 0 ? decoded.slice(colon + 1) : entry?.password;
  const identityToken = entry?.identitytoken ? { identityToken: entry.identitytoken } : {};
  if (!user || !(password || entry?.identitytoken)) return undefined;
  return { user, password: password ?? '', ...identityToken };
}

/** Asks the program `docker-credential-<helper>`; undefined where it is missing, fails or has nothing. */
async function askHelper(helper: string, key: string): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(helper)) return undefined;
  const { execFile } = await import('node:child_process');
  const output = await new Promise<string>((resolve) => {
    const child = execFile(`docker-credential-${helper}`, ['get'], { timeout: helperTimeout }, (error, stdout) =>
      resolve(error ? '' : stdout),
    );
    // A helper that ends without reading says so by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(key);
  });
  try {
    const { Username: user, Secret: secret } = JSON.parse(output) as { Username?: string; Secret?: string };
    if (!user || !secret) return undefined;
    return user === '<token>' ? { user, password: '', identityToken: secret } : { user, password: secret };
  } catch {
    return undefined;
  }
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
