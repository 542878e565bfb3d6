/** The layers a container was made of, before it starts again. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerRecord, ResolvedMount } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { StoredImage } from '../../schemas/oci-image.ts';
import type { Host } from '../host.ts';
import { isWholeLayer } from '../images/marks.ts';
import { imageViews } from '../runtime/mounts.ts';
import { files } from './launch.ts';
import type { ImageMemo } from './process.ts';

/** What is kept of a container's images beside its record: the store keeps what it names. */
export function imageMemo({ id, layers }: StoredImage, mounts: ResolvedMount[]): ImageMemo {
  const mounted = mounts.flatMap((mount) =>
    mount.type === 'image' ? [{ name: mount.source, id: mount.id, layers: mount.layers }] : [],
  );
  return { id, layers, ...(mounted.length > 0 ? { mounted } : {}) };
}

/** Places for the images that are mounted, in the container's mount namespace alone. @param directory of the container */
export function makeViews(mounts: ResolvedMount[], directory: string): void {
  for (const { target, layers } of imageViews(mounts, join(directory, 'views'))) {
    for (const path of [target, layers.at(-1)!]) mkdirSync(path, { recursive: true, mode: 0o755 });
  }
}

/** Makes an image of the store whole again, by its name. */
export type RestoreImage = (name: string) => Promise<void>;

/**
 * A machine that stopped before an image had reached the disk may have kept a part of it: it is unpacked again.
 * @throws StackError `image.store` where that image cannot be had any more
 */
export async function restoreLayers(host: Host, record: ContainerRecord, restore: RestoreImage): Promise<void> {
  const text = readFileSync(join(host.layout.containerDir(record.stack, record.id), files.image), 'utf8');
  const { layers, mounted = [] } = JSON.parse(text) as ImageMemo;
  const all = [...layers, ...mounted.flatMap((image) => image.layers)];
  const areWhole = () => all.every((layer) => isWholeLayer(dirname(layer)));
  if (areWhole()) return;
  const lost = (cause?: unknown) =>
    new StackError('image.store', {
      message: `Container ${record.name} cannot be started: the machine stopped before its image ${record.image.name} was on disk${cause ? `, and ${(cause as Error).message}` : '.'}`,
      hint: '`stack up --force-recreate` makes it from the image as it is now; what it wrote into its own file system is lost.',
      resource: `container ${record.name}`,
      cause,
    });
  try {
    for (const name of [record.image.name, ...mounted.map((image) => image.name)]) await restore(name);
  } catch (cause) {
    throw lost(cause);
  }
  if (!areWhole()) throw lost();
}
