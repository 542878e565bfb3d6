/** Owners, modes, times and extended attributes of what a layer makes. */
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import type { TarEntry } from './tar.ts';

/**
 * On `name` below `fd`, or on `fd` itself where it is ''. `modeNow`: the permission bits it was made with, -1 where unknown,
 * null where a mode has no meaning (symlinks).
 */
export function setMetadata(
  verbs: FilesystemVerbs,
  fd: Fd,
  name: string,
  entry: TarEntry,
  modeNow: number | null,
): void {
  // Order matters: chown(2) clears set-id bits and capabilities; and all of them change nothing about mtime.
  if (entry.uid !== 0 || entry.gid !== 0 || modeNow === -1) verbs.fchownat(fd, name, entry.uid, entry.gid);
  if (modeNow !== null && modeNow !== entry.mode) verbs.fchmod(fd, entry.mode);
  for (const [attribute, value] of entry.xattrs) setAttribute(verbs, fd, name, attribute, value);
  verbs.utimensat(fd, name, entry.atimeNs ?? entry.mtimeNs, entry.mtimeNs);
}

/**
 * Attributes an image has no say in: the first steer overlayfs itself (redirects, metacopy), the others are the host's labels.
 */
export const isForeignAttribute = (name: string) =>
  /^(?:trusted|user)\.overlay\.|^security\.selinux$|^(?:security|system)\.nfs4_acl$/.test(name);

function setAttribute(verbs: FilesystemVerbs, fd: Fd, name: string, attribute: string, value: Uint8Array): void {
  if (isForeignAttribute(attribute)) return;
  try {
    verbs.lsetxattr(fd, name, attribute, value);
  } catch (thrown) {
    const { code } = thrown as KernelError;
    // File systems without an attribute class, and user.* on links and devices: docker goes on without them too.
    const isOptional =
      code === 'ENOTSUP' || code === 'EOPNOTSUPP' || (code === 'EPERM' && attribute.startsWith('user.'));
    if (isOptional && attribute !== 'security.capability') return;
    // ext4 has no more than a block for all attributes of a file, and says ENOSPC beyond.
    if (code === 'E2BIG' || code === 'ERANGE' || (code === 'ENOSPC' && value.length > 1024)) {
      const shown = attribute.slice(0, 300);
      throw new StackError('image.limit', {
        message: `The layer has the extended attribute ${shown} of ${value.length} bytes; the store's file system takes less.`,
      });
    }
    throw thrown;
  }
}

/** The directory hides what layers below have in it. Source: overlayfs "whiteouts and opaque directories". */
export function setOpaque(verbs: FilesystemVerbs, fd: Fd): void {
  verbs.lsetxattr(fd, '', 'trusted.overlay.opaque', Buffer.from('y'));
}
