/** `z` and `Z` of a bind: its source, and everything below, gets the label of the container's files. Source: docker's bind options. */
import { closeSync, constants, openSync } from 'node:fs';
import type { ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
const O_PATH = 0o10000000;
const attribute = 'security.selinux';
/** A label of containers there would lock the machine out of itself. */
const excluded = new Set(
  '/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var'.split(
    ' ',
  ),
);

/**
 * Where SELinux labels are off, and so `label` is undefined, nothing is to be done.
 * @param label `linux.mountLabel`; `z` leaves its categories out, so that other containers may have the files too.
 * @throws volume.relabel
 */
export function relabelBinds(verbs: FilesystemVerbs, mounts: ResolvedMount[], label: string | undefined): void {
  if (!label) return;
  for (const mount of mounts) {
    if (mount.type !== 'bind' || !mount.selinux) continue;
    const wanted = mount.selinux === 'Z' ? label : sharedLabel(label);
    try {
      if (excluded.has(mount.source)) throw Object.assign(new Error('the machine needs its labels'), { code: 'EPERM' });
      relabel(verbs, mount.source, Buffer.from(`${wanted}\0`));
    } catch (cause) {
      const errno = (cause as NodeJS.ErrnoException).code;
      throw new StackError('volume.relabel', {
        message: `${mount.source} cannot get the label ${wanted}: ${(cause as Error).message}`,
        hint: `Leave the option ${mount.selinux} out, or mount a directory that is the stack's alone.`,
        resource: `mount ${mount.target}`,
        errno,
        cause,
      });
    }
  }
}

/** `…:s0:c1,c2` without the categories. */
const sharedLabel = (label: string) => label.replace(/^((?:[^:]+:){3}[^:]+):.*$/s, '$1');

function relabel(verbs: FilesystemVerbs, path: string, value: Buffer): void {
  const top = openSync(path, O_PATH);
  try {
    set(verbs, top, '', value);
  } finally {
    closeSync(top);
  }
  let directory: Fd;
  try {
    directory = openSync(path, O_DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return;
    throw error;
  }
  below(verbs, directory, value);
}

/** Closes the directory. By descriptors: no link is followed. */
function below(verbs: FilesystemVerbs, directory: Fd, value: Buffer): void {
  try {
    for (const name of verbs.readdir(directory)) {
      set(verbs, directory, name, value);
      let inner: Fd;
      try {
        inner = verbs.openat2(directory, name, { flags: O_DIRECTORY | O_NOFOLLOW });
      } catch (error) {
        if (['ENOTDIR', 'ELOOP', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) continue;
        throw error;
      }
      below(verbs, inner, value);
    }
  } finally {
    closeSync(directory);
  }
}

/** What cannot carry a label stays as it is: its file system has one for all. */
function set(verbs: FilesystemVerbs, directory: Fd, name: string, value: Buffer): void {
  try {
    verbs.lsetxattr(directory, name, attribute, value);
  } catch (error) {
    if (!['EOPNOTSUPP', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
