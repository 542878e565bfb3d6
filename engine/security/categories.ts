/**
 * Which pair of SELinux categories belongs to which container. Each pair in use is a symbolic link named after it, to
 * `<stack>/<id>`: symlink(2) makes it or says that it is taken, at one stroke. There is no such folder on a machine
 * without SELinux.
 */
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import { categoryPair } from './selinux.ts';

const attempts = 1000;

/**
 * Takes a pair nobody has, for as long as the container exists. One that a killed command took and never used costs one
 * of half a million.
 * @param folder where pairs are recorded (`Layout.labels`).
 * @returns the level: `s0:c12,c345`.
 */
export function takeCategories(folder: string, stack: string, id: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (let attempt = 0; attempt < attempts; attempt++) {
    const level = categoryPair(id, attempt);
    try {
      symlinkSync(`${stack}/${id}`, join(folder, level));
      return level;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
      if (owner(folder, level) === `${stack}/${id}`) return level;
    }
  }
  throw new StackError('host.kernel-feature', {
    message: `No free pair of SELinux categories for the container ${id.slice(0, 12)} in ${attempts} attempts.`,
    hint: `Every file in ${folder} is one in use; remove those whose container is gone.`,
  });
}

/** Gives back what the container took; found by its id, with every record gone. */
export function releaseCategories(folder: string, stack: string, id: string): void {
  let taken: string[];
  try {
    taken = readdirSync(folder);
  } catch {
    return;
  }
  for (const level of taken) {
    if (owner(folder, level) !== `${stack}/${id}`) continue;
    try {
      unlinkSync(join(folder, level));
    } catch {
      // Another command removes the same container.
    }
  }
}

function owner(folder: string, level: string): string | undefined {
  try {
    return readlinkSync(join(folder, level));
  } catch {
    return undefined;
  }
}
