/** Copy-up: an empty volume gets what the image has at its target, once. */
import { closeSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { VolumeRecord } from '../../schemas/container.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { ioError } from './records.ts';
import { copyTree, lookUp } from './tree.ts';

/**
 * Content, ownership, modes, links and attributes, in place: another container may have the volume mounted. A copy
 * that was cut short is told by a mark beside the content, and begun anew.
 * @param view root of the image, null for an image without layers.
 * @throws host.disk-full
 */
export async function fillVolume(
  verbs: FilesystemVerbs,
  volume: VolumeRecord,
  view: Fd | null,
  target: string,
): Promise<void> {
  const mark = join(dirname(volume.path), 'filling');
  if (view === null || !needsFilling(volume.path, mark)) return;
  const source = lookUp(verbs, view, target);
  if (!source) return;
  const lock = openSync(join(dirname(volume.path), 'volume.json'), 'r');
  try {
    if (!source.isDirectory) return;
    await verbs.flock(lock, 'exclusive', true);
    if (!needsFilling(volume.path, mark)) return;
    writeFileSync(mark, '');
    for (const name of readdirSync(volume.path)) rmSync(join(volume.path, name), { recursive: true, force: true });
    const to = openSync(volume.path, 'r');
    try {
      await copyTree(verbs, source.fd, to);
    } finally {
      closeSync(to);
    }
    rmSync(mark);
  } catch (thrown) {
    throw ioError(thrown, `volume ${volume.name}`);
  } finally {
    closeSync(lock);
    closeSync(source.fd);
  }
}

function needsFilling(path: string, mark: string): boolean {
  return readdirSync(path).length === 0 || statSync(mark, { throwIfNoEntry: false }) !== undefined;
}
