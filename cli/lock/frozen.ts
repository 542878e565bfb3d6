/** `--frozen`: the stack as its lock says, or not at all; and without it, where the two disagree. */
import type { Loaded } from '../../planner/load/load.ts';
import { lockName, pulledImages, withDigests } from '../../planner/lock/images.ts';
import { lockDifferences } from '../../planner/lock/lock.ts';
import type { Project } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { findLock, lockPath, requireLock } from './file.ts';

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

/**
 * What an `up` without `--frozen` does not hold to: images the lock does not know, or that are others here. Nothing where
 * there is no lock. @throws StackError lock.invalid
 */
export function lockWarnings(loaded: Loaded, { images }: Snapshot): string[] {
  const lock = findLock(lockPath(loaded));
  if (!lock) return [];
  const here = new Map(images.map((image) => [image.name, image]));
  return pulledImages(loaded.project.services).flatMap((image) => {
    const name = lockName(image);
    if (!Object.hasOwn(lock.images, name)) return [`stack.lock has no digest of ${image}: \`stack lock\` adds it.`];
    const { digest, platforms } = lock.images[name]!;
    const found = here.get(image);
    if (!found || [digest, ...Object.values(platforms)].includes(found.digest ?? found.manifestDigest)) return [];
    return [
      `${image} is ${shown(found.digest ?? found.manifestDigest)} here and ${shown(digest)} in stack.lock: ` +
        '`stack up --frozen` takes the locked one, `stack update` locks what the name means now.',
    ];
  });
}

const shown = (digest: string) => digest.replace(/^(sha\d+:[0-9a-f]{12}).*$/, '$1…');
