/** What a step with a bind mount sees of a directory of the machine. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import type { CopyPaths } from '../../schemas/build.ts';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { copyAll } from './copy.ts';
import type { NewLayer } from './new-layer.ts';
import { digestItem, type Source, select } from './select.ts';

/** A path as mounts take it: no pattern, links followed. */
export const mountedPath = (path: string): CopyPaths => ({
  type: 'input',
  input: 0,
  path,
  wildcard: false,
  emptyAllowed: true,
  followSymlinks: true,
  contentsOnly: true,
  unpack: false,
});

/** What a mount reads of a source, as a digest in hex. @throws StackError build.not-found */
export async function digestMounted(
  verbs: FilesystemVerbs,
  source: Source,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  for (const item of select(verbs, source, mountedPath(path), []))
    await digestItem(verbs, { ...item, name: '' }, hash, signal);
  return hash.digest('hex');
}

/**
 * A copy of what lies at `path`, beside the layer and gone with it: with the owners of a build, and without what the ignore
 * file leaves out, which may be secrets. Answers the directory that stands for the context's root.
 * @throws StackError build.not-found
 */
export async function copyContext(
  verbs: FilesystemVerbs,
  source: Source,
  path: string,
  layer: NewLayer,
  signal: AbortSignal,
): Promise<string> {
  const copy = layer.make(`contexts/${layer.count++}`);
  const root = openSync(copy, constants.O_DIRECTORY);
  try {
    const items = select(verbs, source, mountedPath(path), []);
    const how = { type: 'item' as const, contentsOnly: true, keepsPath: false, unpack: false };
    const selected = items.map((item) => ({ ...how, item }));
    const metadata = { owner: undefined, chmod: undefined, nowNs: 0n, signal };
    await copyAll({ verbs, root, destination: path || '/', ...metadata }, selected);
  } finally {
    closeSync(root);
  }
  return copy;
}
