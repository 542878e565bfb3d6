/** The directories of a bind's source that are not there yet. */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';

const { O_DIRECTORY, O_NOFOLLOW } = constants;

interface Owner {
  uid: number;
  gid: number;
}

/**
 * 0755, whatever the umask. By descriptors below the last directory there is: its owner may put a link there in the
 * meantime, and would be given what that leads to. @param owner `'parent'`: as that directory.
 * @throws the system call's error
 */
export function makeDirectory(verbs: FilesystemVerbs, path: string, owner?: Owner | 'parent'): void {
  const missing: string[] = [];
  let present = path;
  for (; !statSync(present, { throwIfNoEntry: false }); present = dirname(present)) missing.unshift(basename(present));
  let fd = openSync(present, O_DIRECTORY);
  try {
    const given = owner === 'parent' ? fstatSync(fd) : owner;
    for (const name of missing) {
      const next = makeOne(verbs, fd, name, given);
      closeSync(fd);
      fd = next;
    }
  } finally {
    closeSync(fd);
  }
}

/** One that somebody else has made by now is left as it is. */
function makeOne(verbs: FilesystemVerbs, parent: Fd, name: string, owner: Owner | undefined): Fd {
  let isOurs = true;
  try {
    verbs.mkdirat(parent, name, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    isOurs = false;
  }
  const made = verbs.openat2(parent, name, { flags: O_DIRECTORY | O_NOFOLLOW });
  if (!isOurs) return made;
  try {
    verbs.fchmod(made, 0o755);
    if (owner) verbs.fchownat(made, '', owner.uid, owner.gid);
    return made;
  } catch (error) {
    closeSync(made);
    throw error;
  }
}
