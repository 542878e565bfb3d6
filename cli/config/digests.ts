/** `--resolve-image-digests` and `--lock-image-digests`: the digest each image's tag has now, asked of its registry. */
import type { Project } from '../../schemas/project.ts';
import { interruptible } from '../apply.ts';
import type { Context } from '../command.ts';

/**
 * The project with `NAME:TAG@DIGEST` for every image. Images that are built here have none and stay.
 * @throws StackError of the image group
 */
export async function withDigests(context: Context, project: Project): Promise<Project> {
  const [{ resolveDigest }, { readSettings }] = await Promise.all([
    import('../../engine/images/registry/digest.ts'),
    import('../../engine/settings.ts'),
  ]);
  const settings = await readSettings(context.environment);
  const pulled = Object.values(project.services).flatMap(({ image, build }) => (image && !build ? [image] : []));
  const digests = new Map(
    await interruptible((signal) =>
      Promise.all(
        [...new Set(pulled)].map(async (image) => [image, await resolveDigest(image, settings, signal)] as const),
      ),
    ),
  );
  const services = Object.entries(project.services).map(([name, service]) => {
    const digest = service.build ? undefined : digests.get(service.image ?? '');
    const pinned = digest === undefined || service.image?.includes('@') ? service.image : `${service.image}@${digest}`;
    return [name, { ...service, ...(pinned === undefined ? {} : { image: pinned }) }] as const;
  });
  return { ...project, services: Object.fromEntries(services) };
}

/** Only the images: a file to give beside the stack file. */
export function imagesOnly({ services }: Project): object {
  const images = Object.entries(services).flatMap(([name, { image }]) => (image ? [[name, { image }] as const] : []));
  return { services: Object.fromEntries(images) };
}
