/** `--resolve-image-digests` and `--lock-image-digests`: the digest each image's tag has now, asked of its registry. */
import { imageVolumes, pulledImages, withDigests } from '../../planner/lock/images.ts';
import type { Project } from '../../schemas/project.ts';
import { interruptible } from '../apply.ts';
import type { Context } from '../command.ts';

/**
 * The project with `NAME:TAG@DIGEST` for every image. Images that are built here have none and stay.
 * @throws StackError of the image group
 */
export async function withCurrentDigests(context: Context, project: Project): Promise<Project> {
  const [{ resolveDigest }, { readSettings }] = await Promise.all([
    import('../../engine/images/registry/digest.ts'),
    import('../../engine/settings.ts'),
  ]);
  const settings = await readSettings(context.environment);
  const digests = new Map(
    await interruptible((signal) =>
      Promise.all(
        pulledImages(project.services).map(
          async (image) => [image, await resolveDigest(image, settings, signal)] as const,
        ),
      ),
    ),
  );
  return withDigests(project, (image) => digests.get(image));
}

/** Only the images, those of volumes too: a file to give beside the stack file. */
export function imagesOnly({ services }: Project): object {
  const locked = Object.entries(services).flatMap(([name, service]) => {
    const volumes = imageVolumes(service);
    const entry = { ...(service.image ? { image: service.image } : {}), ...(volumes.length > 0 ? { volumes } : {}) };
    return Object.keys(entry).length > 0 ? [[name, entry] as const] : [];
  });
  return { services: Object.fromEntries(locked) };
}
