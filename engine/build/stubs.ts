/** Places that mounts needed in the root and that the step's layer must not keep. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { openPlain, resolvePath } from './resolve.ts';
import { kindOf, statAt } from './walk.ts';

const { O_DIRECTORY } = constants;
const O_PATH = 0o10000000;

/** Paths, without links, that do not exist in the base and that mounting on `targets` makes; the deepest last. */
export function missingPlaces(verbs: FilesystemVerbs, base: Fd | undefined, targets: string[]): string[] {
  const missing = new Set<string>();
  for (const target of targets) {
    const { path, depth } = resolvePath(verbs, base, target);
    const parts = path.split('/').filter(Boolean);
    for (let length = depth + 1; length <= parts.length; length++) missing.add(parts.slice(0, length).join('/'));
  }
  return [...missing].sort((a, b) => a.split('/').length - b.split('/').length);
}

/**
 * Removes those that are still empty, and gives the directories that held them their times back. What the step itself put
 * there stays.
 */
export function removePlaces(verbs: FilesystemVerbs, base: Fd | undefined, upper: string, places: string[]): void {
  const root = openSync(upper, O_PATH | O_DIRECTORY);
  try {
    const touched = new Set<string>();
    for (const place of [...places].reverse()) {
      const slash = place.lastIndexOf('/');
      const parentPath = place.slice(0, Math.max(slash, 0));
      const parent = openPlain(verbs, root, parentPath);
      if (parent === undefined) continue;
      try {
        if (removeEmpty(verbs, parent, place.slice(slash + 1))) touched.add(parentPath);
      } finally {
        closeSync(parent);
      }
    }
    for (const path of touched) restoreTimes(verbs, base, root, path);
  } finally {
    closeSync(root);
  }
}

function removeEmpty(verbs: FilesystemVerbs, parent: Fd, name: string): boolean {
  try {
    const stat = statAt(verbs, parent, name);
    const kind = kindOf(stat);
    if (kind !== 'directory' && (kind !== 'file' || stat.size > 0n)) return false;
    verbs.unlinkat(parent, name, kind === 'directory');
    return true;
  } catch {
    return false; // Not there, or not empty.
  }
}

/** overlayfs copied the directory up for our place alone, or the step changed something in it too: its times were the base's. */
function restoreTimes(verbs: FilesystemVerbs, base: Fd | undefined, root: Fd, path: string): void {
  const upper = openPlain(verbs, root, path);
  const lower = base === undefined ? undefined : openPlain(verbs, base, path);
  if (upper !== undefined && lower !== undefined && fstatSync(lower).isDirectory()) {
    const { mtimeNs } = fstatSync(lower, { bigint: true });
    if (path === '' || verbs.readdir(upper).length > 0) verbs.utimensat(upper, '', mtimeNs, mtimeNs);
    else {
      const slash = path.lastIndexOf('/');
      const parent = openPlain(verbs, root, path.slice(0, Math.max(slash, 0)));
      if (parent !== undefined) {
        verbs.unlinkat(parent, path.slice(slash + 1), true);
        closeSync(parent);
        restoreTimes(verbs, base, root, path.slice(0, Math.max(slash, 0)));
      }
    }
  }
  for (const fd of [upper, lower]) if (fd !== undefined) closeSync(fd);
}
