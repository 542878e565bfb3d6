/** Bind mounts of a service: the source as it is on the host, and whose its files are. */
import { statSync } from 'node:fs';
import type { ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import type { ServiceVolume } from '../../schemas/project.ts';
import { makeDirectory } from './make-directory.ts';

type Bind = Extract<ResolvedMount, { type: 'bind' }>;

/** @param user whom the container runs as. @throws volume.bind-source */
export function bindMount(
  verbs: FilesystemVerbs,
  mount: ServiceVolume,
  target: string,
  user: { uid: number; gid: number } = { uid: 0, gid: 0 },
  resource: string,
): Bind {
  const source = bindSource(verbs, mount, resource);
  const { propagation, recursive, selinux } = mount.bind ?? {};
  const owner = ownerOf(mount['x-idmap'], source);
  return {
    type: 'bind',
    source,
    target,
    readOnly: mount.read_only ?? false,
    ...(propagation ? { propagation } : {}),
    ...(recursive && recursive !== 'enabled' ? { recursive: recursive as 'disabled' | 'writable' | 'readonly' } : {}),
    ...(selinux ? { selinux: selinux as 'z' | 'Z' } : {}),
    ...(owner ? { owner: { ...owner, as: { uid: user.uid, gid: user.gid } } } : {}),
  };
}

/** The source's owner, or who is named. */
function ownerOf(asked: ServiceVolume['x-idmap'], source: string): { uid: number; gid: number } | undefined {
  if (asked === undefined || asked === false) return undefined;
  if (asked !== true) return asked;
  const { uid, gid } = statSync(source);
  return { uid, gid };
}

/** The source as it is on the host; a missing directory is made where the short syntax, or create_host_path, asks for it. */
function bindSource(verbs: FilesystemVerbs, mount: ServiceVolume, resource: string): string {
  const source = mount.source ?? '';
  try {
    statSync(source);
    return source;
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT' && mount.bind?.create_host_path === true) {
      try {
        const asked = mount['x-idmap'] || undefined;
        makeDirectory(verbs, source, asked === true ? 'parent' : asked);
        return source;
      } catch (cause) {
        const because = (cause as NodeJS.ErrnoException).code;
        throw new StackError('volume.bind-source', {
          message: `${resource}: ${source} does not exist and cannot be made: ${because}`,
          hint: 'Make the directory by hand, or correct the path.',
          resource,
          errno: because,
          cause,
        });
      }
    }
    throw new StackError('volume.bind-source', {
      message: `${resource}: the bind source ${source} ${errno === 'ENOENT' ? 'does not exist' : `cannot be used: ${errno}`}`,
      hint: 'Make it, correct the path, or add `bind: { create_host_path: true }` to have the directory made.',
      resource,
      errno,
      cause: thrown,
    });
  }
}
