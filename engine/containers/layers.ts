/** The layers a container was made of, before it starts again. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import { isWholeLayer } from '../images/marks.ts';
import { files } from './launch.ts';
import type { ImageMemo } from './process.ts';

/** Makes an image of the store whole again, by its name. */
export type RestoreImage = (name: string) => Promise<void>;

/**
 * A machine that stopped before an image had reached the disk may have kept a part of it: it is unpacked again.
 * @throws StackError `image.store` where that image cannot be had any more
 */
export async function restoreLayers(host: Host, record: ContainerRecord, restore: RestoreImage): Promise<void> {
  const text = readFileSync(join(host.layout.containerDir(record.stack, record.id), files.image), 'utf8');
  const { layers } = JSON.parse(text) as ImageMemo;
  const areWhole = () => layers.every((layer) => isWholeLayer(dirname(layer)));
  if (areWhole()) return;
  const lost = (cause?: unknown) =>
    new StackError('image.store', {
      message: `Container ${record.name} cannot be started: the machine stopped before its image ${record.image.name} was on disk${cause ? `, and ${(cause as Error).message}` : '.'}`,
      hint: '`stack up --force-recreate` makes it from the image as it is now; what it wrote into its own file system is lost.',
      resource: `container ${record.name}`,
      cause,
    });
  try {
    await restore(record.image.name);
  } catch (cause) {
    throw lost(cause);
  }
  if (!areWhole()) throw lost();
}
