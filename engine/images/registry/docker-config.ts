/** Docker's client configuration, which docker, podman and others share. Source: docker CLI, "config.json". */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';

export interface AuthEntry {
  /** Base64 of `user:password`. */
  auth?: string;
  username?: string;
  password?: string;
  /** Refresh token of an OAuth2 login. */
  identitytoken?: string;
  /** Shown to the registry as it is. */
  registrytoken?: string;
}

export interface DockerConfig {
  auths?: Record<string, AuthEntry>;
  /** Helper by registry, and the one for all others: `docker-credential-<name>` on the PATH. */
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/** The file logins are filed in: `$DOCKER_CONFIG/config.json`, by default in `~/.docker`. */
export function configFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');
}

/** What the file says; null where it is there and cannot be read as JSON. */
export function readConfigFile(file: string): DockerConfig | null {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? {} : null;
  }
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as DockerConfig) : null;
  } catch {
    return null;
  }
}

/**
 * Files or removes (null) the login of `key`; everything else in the file stays as it is. The file is replaced as a whole, and
 * nobody but its owner can read it at any instant. @throws StackError `config.unreadable`
 */
export function changeEntry(file: string, key: string, entry: AuthEntry | null): void {
  const config = readConfigFile(file);
  if (!config) {
    throw new StackError('config.unreadable', {
      message: `${file} cannot be read as JSON, so no login can be filed in it.`,
      hint: 'Repair the file, or name another folder with DOCKER_CONFIG.',
    });
  }
  const auths = { ...config.auths };
  if (entry) auths[key] = entry;
  else delete auths[key];
  const { auths: _old, ...others } = config;
  const isEmpty = Object.keys(auths).length === 0 && config.auths === undefined;
  const changed = isEmpty ? others : { ...config, auths };
  try {
    replace(file, `${JSON.stringify(changed, null, '\t')}\n`);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new StackError('config.unreadable', {
      message: `${file} cannot be written: ${code}.`,
      hint: 'Make its folder writable, or name another one with DOCKER_CONFIG.',
      errno: code,
      cause: thrown,
    });
  }
}

function replace(file: string, text: string): void {
  fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // Where the file is a link, what it leads to is replaced.
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  const target = stat ? fs.realpathSync(file) : file;
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  const fd = fs.openSync(temporary, 'wx', 0o600);
  try {
    fs.writeFileSync(fd, text);
    if (stat) {
      const mine = fs.fstatSync(fd);
      if (stat.uid !== mine.uid || stat.gid !== mine.gid) fs.fchownSync(fd, stat.uid, stat.gid);
      // No wider than it was, and never for others.
      fs.fchmodSync(fd, stat.mode & 0o600);
    }
    fs.fsyncSync(fd);
    fs.renameSync(temporary, target);
  } catch (thrown) {
    fs.rmSync(temporary, { force: true });
    throw thrown;
  } finally {
    fs.closeSync(fd);
  }
}
