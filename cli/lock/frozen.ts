/** `--frozen`: the stack as its lock says, or not at all; and without it, where the two disagree. */
import type { Loaded } from '../../planner/load/load.ts';
import { lockName, withDigests } from '../../planner/lock/images.ts';
import { lockDifferences } from '../../planner/lock/lock.ts';
import type { Project } from '../../schemas/project.ts';
import { lockPath, requireLock } from './file.ts';

/**
 * The project with the locked digest of every image: no name is looked up any more, and what the store has by that digest is
 * not asked for. @throws StackError lock.not-found, lock.invalid; lock.differs, all of them at once
 */
export async function frozen(loaded: Loaded): Promise<Project> {
  const { project } = loaded;
  const path = lockPath(loaded);
  const lock = requireLock(path);
  const { buildInputs } = await import('../../engine/lock/inputs.ts');
  const [first, ...others] = lockDifferences(lock, project.services, buildInputs(project.services, path));
  if (first) {
    first.also.push(...others);
    throw first;
  }
  return withDigests(project, (image) => lock.images[lockName(image)]!.digest);
}
