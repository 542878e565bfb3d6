/** Steps of extraction that the kernel walks below the layer's root: no link leads outside. */
import { closeSync, constants } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';
import { refused, safePath } from './extract-path.ts';
import type { TarEntry } from './tar.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
export const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
/** How openat2(2) resolves every name of a layer. */
export const beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;

export function openDirectory(verbs: FilesystemVerbs, root: Fd, path: string): Fd {
  return verbs.openat2(root, path, { flags: O_PATH | O_DIRECTORY, resolve: beneath });
}

export function isDirectory(verbs: FilesystemVerbs, parent: Fd, name: string): boolean {
  try {
    closeSync(verbs.openat2(parent, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW, resolve: beneath }));
    return true;
  } catch {
    return false;
  }
}

/** Makes `name` in `parent` another name of what the entry's link name is below `root`. @throws StackError, KernelError `EEXIST` */
export function makeHardLink(verbs: FilesystemVerbs, root: Fd, parent: Fd, name: string, entry: TarEntry): void {
  const target = safePath(entry.linkName, entry.name);
  const slash = target.lastIndexOf('/');
  if (target === '') throw new StackError('image.archive', { message: `${entry.name} is a hard link to the root.` });
  let from: Fd | null = null;
  try {
    from = slash < 0 ? root : openDirectory(verbs, root, target.slice(0, slash));
    verbs.linkat(from, target.slice(slash + 1), parent, name);
  } catch (thrown) {
    const { code } = thrown as KernelError;
    if (code === 'EEXIST') throw thrown;
    if (code === 'EPERM') {
      throw new StackError('image.archive', { message: `${entry.name} is a hard link to a directory.` });
    }
    if (code === 'ENOENT') {
      throw new StackError('image.archive', {
        message: `${entry.name} is a hard link to ${entry.linkName}, which the layer does not have.`,
      });
    }
    throw refused(entry.name, thrown);
  } finally {
    if (from !== null && from !== root) closeSync(from);
  }
}
