/** Credentials as `docker login` files them. Source: docker CLI "config.json" `auths`. */
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
}

/** File the credentials are read from: `$DOCKER_CONFIG/config.json`, by default in `~/.docker`. */
export function credentialsFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');
}

/** Credentials for the first of `keys` that has some; undefined where none has. Credential helpers are not asked. */
export function findCredentials(keys: string[], file = credentialsFile()): Credentials | undefined {
  let config: DockerConfig;
  try {
    config = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // None, or not ours to judge: the registry then says that it wants some.
    return undefined;
  }
  const entries = Object.entries(config.auths ?? {});
  for (const key of keys) {
    const found = entries.find(([name]) => name === key || hostOf(name) === hostOf(key))?.[1];
    if (!found) continue;
    const decoded = found.auth ? Buffer.from(found.auth, 'base64').toString('utf8') : '';
    const colon = decoded.indexOf(':');
    const user = colon > 0 ? decoded.slice(0, colon) : found.username;
    const password = colon > 0 ? decoded.slice(colon + 1) : found.password;
    const identityToken = found.identitytoken ? { identityToken: found.identitytoken } : {};
    if (user && (password || found.identitytoken)) return { user, password: password ?? '', ...identityToken };
  }
  return undefined;
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
