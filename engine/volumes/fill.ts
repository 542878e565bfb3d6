/** Copy-up: an empty volume gets what the image has at its target, once. */
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { VolumeRecord } from '../../schemas/container.ts';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { contentOf, localOf, locked } from './attach.ts';
import { ioError } from './records.ts';
import { copyTree, lookUp } from './tree.ts';

/**
 * Content, ownership, modes, links and attributes, in place: another container may have the volume mounted. A copy
 * that was cut short is told by a mark beside the content, and begun anew where the directory is the volume's alone: what
 * is in a file system or a directory of the machine's may be its owner's by then.
 * @param view root of the image, null for an image without layers.
 * @throws host.disk-full
 */
export async function fillVolume(
  verbs: FilesystemVerbs,
  volume: VolumeRecord,
  view: Fd | null,
  target: string,
): Promise<void> {
  const local = localOf(volume);
  const isOurs = local.kind === 'directory';
  const content = contentOf(volume);
  const mark = join(dirname(volume.path), 'filling');
  const needsFilling = () => readdirSync(content).length === 0 || (isOurs && existsSync(mark));
  if (view === null || !needsFilling()) return;
  const source = lookUp(verbs, view, target);
  if (!source) return;
  try {
    if (!source.isDirectory) return;
    await locked(verbs, volume, async () => {
      if (!needsFilling()) return;
      writeFileSync(mark, '');
      empty(content);
      await copyInto(verbs, source.fd, content).catch((thrown) => {
        if (!isOurs) empty(content);
        throw thrown;
      });
      rmSync(mark);
    });
  } catch (thrown) {
    const where = local.kind === 'directory' ? undefined : local.device;
    throw ioError(thrown, `volume ${volume.name}`, where);
  } finally {
    closeSync(source.fd);
  }
}

async function copyInto(verbs: FilesystemVerbs, source: Fd, content: string): Promise<void> {
  const to = openSync(content, 'r');
  try {
    await copyTree(verbs, source, to);
  } finally {
    closeSync(to);
  }
}

function empty(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
}
