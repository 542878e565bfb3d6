/** Removal of whole directories by descriptor, however deep and however named. */
import { closeSync, constants } from 'node:fs';
import type { Fd, FilesystemVerbs, KernelError } from '../../schemas/kernel.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;
const O_PATH = 0o10000000;
const RESOLVE_BENEATH_NO_MAGICLINKS = 0x08 | 0x02;

/** Removes `name` and everything below it, without following links. */
export function removeTree(verbs: FilesystemVerbs, parent: Fd, name: string): void {
  try {
    verbs.unlinkat(parent, name, false);
    return;
  } catch (thrown) {
    const { code } = thrown as KernelError;
    if (code === 'ENOENT') return;
    if (code !== 'EISDIR' && code !== 'EPERM') throw thrown;
  }
  const fd = verbs.openat2(parent, name, {
    flags: O_PATH | O_DIRECTORY | O_NOFOLLOW,
    resolve: RESOLVE_BENEATH_NO_MAGICLINKS,
  });
  try {
    for (let again = 0; ; again++) {
      for (const child of verbs.readdir(fd)) removeTree(verbs, fd, child);
      try {
        verbs.unlinkat(parent, name, true);
        return;
      } catch (thrown) {
        // Somebody made something meanwhile: a layer that is settled gets its mark (settle.ts).
        if ((thrown as KernelError).code !== 'ENOTEMPTY' || again === 3) throw thrown;
      }
    }
  } finally {
    closeSync(fd);
  }
}
