/** Limits on what a directory may hold: a project of its own, where the file system keeps quotas of projects. Source: quotactl(2). */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';

/** Ids below are for the machine's owner (/etc/projid). */
const firstProject = 0x4000_0000;

/** The same for a name at any time, so that nothing has to be kept; two of a machine's seldom meet among 2^30. */
export const projectOf = (name: string): number =>
  firstProject + (createHash('sha256').update(name).digest().readUInt32LE() & 0x3fff_ffff);

/**
 * Everything that comes to lie in the directories counts together; beyond `bytes` a write gets ENOSPC or EDQUOT.
 * @param name whose they are, the same for {@link unlimit}. @throws host.quota
 */
export function limit(
  verbs: FilesystemVerbs,
  directories: string[],
  { name, bytes, resource }: { name: string; bytes: number; resource: string },
): void {
  const project = projectOf(name);
  for (const directory of directories) {
    const fd = openSync(directory, constants.O_DIRECTORY);
    try {
      verbs.limitProject(fd, project, bytes);
      verbs.setProject(fd, project);
    } catch (cause) {
      const errno = (cause as NodeJS.ErrnoException).code ?? '';
      throw new StackError('host.quota', {
        message: `${resource}: the file system of ${directory} keeps no quotas of projects: ${errno}`,
        hint: 'Mount it with `prjquota` (xfs, or ext4 made with `-O quota,project`; Linux 5.14), or use a tmpfs or a volume with a size instead.',
        resource,
        errno,
        cause,
      });
    } finally {
      closeSync(fd);
    }
  }
}

/** The project's limit goes with what it was of. @param directory on the same file system. */
export function unlimit(verbs: FilesystemVerbs, directory: string, name: string): void {
  let fd: number;
  try {
    fd = openSync(directory, constants.O_DIRECTORY);
  } catch {
    return; // it has gone with everything in it
  }
  try {
    verbs.limitProject(fd, projectOf(name), 0);
  } catch {
    // Mounted without quotas since: there is no limit any more.
  } finally {
    closeSync(fd);
  }
}
