/** `secrets` and `configs` of a service as mounts. Source: compose-spec 05-services.md "secrets", 09-secrets.md. */
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord, ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FileObject, Grant, Project, Service } from '../../schemas/project.ts';

interface Request {
  project: Pick<Project, 'secrets' | 'configs'>;
  service: string;
  config: Pick<Service, 'secrets' | 'configs'>;
}

/**
 * A file that is given as it is, is bound as it is, and follows its changes. Everything else is written down for this
 * container, with the owner and mode it asks for.
 * @param directory of the container below the run directory, which lies in memory. @throws config.value, volume.bind-source
 */
export function grantMounts({ project, service, config }: Request, directory: string): ResolvedMount[] {
  const one = (kind: 'secrets' | 'configs') => (grant: Grant, index: number) => {
    const where = `services.${service}.${kind}.${index}`;
    const source = project[kind]?.[grant.source];
    if (!source)
      throw wrong(where, `no ${kind.slice(0, -1)} ${grant.source} is defined`, `Define it below \`${kind}\`.`);
    const target = targetOf(kind, grant, where);
    const isPlain = grant.uid === undefined && grant.gid === undefined && grant.mode === undefined;
    if (source.file !== undefined && isPlain) {
      statOf(source.file, where);
      return bind(source.file, target);
    }
    const path = join(directory, kind, String(index));
    mkdirSync(join(directory, kind), { recursive: true, mode: 0o700 });
    // One that is there is another start's: it may belong to someone else by now.
    rmSync(path, { force: true });
    writeFileSync(path, contentOf(source, where), { mode: 0o600, flag: 'wx' });
    chownSync(path, owner(grant.uid, `${where}.uid`), owner(grant.gid, `${where}.gid`));
    chmodSync(path, grant.mode ?? 0o444);
    return bind(path, target);
  };
  return [...(config.secrets ?? []).map(one('secrets')), ...(config.configs ?? []).map(one('configs'))];
}

/**
 * What was written for a container goes with the machine's memory: before it starts again, it is written anew.
 * @param project undefined, or without what it defines, where a command works without the stack file.
 * @throws state.lost, and what {@link grantMounts} throws
 */
export function restoreGrants(
  { name, service, config, mounts }: Pick<ContainerRecord, 'name' | 'service' | 'config' | 'mounts'>,
  project: Request['project'] | undefined,
  directory: string,
): void {
  const written = mounts.flatMap((mount) => (mount.type === 'bind' ? [mount.source] : []));
  const isLost = (path: string) => path.startsWith(`${directory}/`) && !existsSync(path);
  if (!written.some(isLost)) return;
  const isDefined = (kind: 'secrets' | 'configs') =>
    (config[kind] ?? []).every(({ source }) => project?.[kind]?.[source] !== undefined);
  if (project && isDefined('secrets') && isDefined('configs')) {
    grantMounts({ project, service, config }, directory);
    return;
  }
  throw new StackError('state.lost', {
    message: `The secrets and configs of ${name} were kept in memory and went with the machine's last run.`,
    hint: 'Start it with `stack up`, which reads them from the stack file.',
    resource: `container ${name}`,
  });
}

const bind = (source: string, target: string): ResolvedMount => ({ type: 'bind', source, target, readOnly: true });

function targetOf(kind: 'secrets' | 'configs', { source, target }: Grant, where: string): string {
  const path = target || (kind === 'secrets' ? `/run/secrets/${source}` : `/${source}`);
  if (path.startsWith('/')) return path;
  if (kind === 'secrets') return `/run/secrets/${path}`;
  throw wrong(where, `${JSON.stringify(path)} is no absolute path`, 'A config is mounted at a path from the root.');
}

function contentOf({ file, content, environment }: FileObject, where: string): string | Uint8Array {
  if (content !== undefined) return content;
  if (file !== undefined) {
    statOf(file, where);
    return readFileSync(file);
  }
  throw wrong(where, `the variable ${environment} is not set`, 'Set it in the environment or in the .env file.');
}

function statOf(path: string, where: string): void {
  try {
    if (statSync(path).isFile() || statSync(path).isDirectory()) return;
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    throw new StackError('volume.bind-source', {
      message: `${where}: ${path} ${errno === 'ENOENT' ? 'does not exist' : `cannot be used: ${errno}`}`,
      hint: 'Make the file, or correct its path.',
      resource: where,
      errno,
      cause,
    });
  }
}

function owner(id: string | undefined, where: string): number {
  if (id === undefined || /^\d{1,9}$/.test(id)) return Number(id ?? 0);
  throw wrong(where, `${JSON.stringify(id)} is no number`, 'Owners of secrets and configs are numbers.');
}

const wrong = (resource: string, what: string, hint: string) =>
  new StackError('config.value', { message: `${resource}: ${what}`, hint, resource });
