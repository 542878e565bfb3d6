/** `--resolve-image-digests` and `--lock-image-digests`: the digest each image's tag has now, asked of its registry. */
import type { Project } from '../../schemas/project.ts';
import { interruptible } from '../apply.ts';
import type { Context } from '../command.ts';
import { imageVolumes } from './lists.ts';

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
  const services = Object.entries(project.services);
  const isPulled = (source: string | undefined): source is string =>
    source !== undefined && !source.includes('@') && !Object.hasOwn(project.services, source);
  const pulled = services.flatMap(([, service]) => [
    ...(service.build ? [] : [service.image]),
    ...imageVolumes(service).map(({ source }) => source),
  ]);
  const digests = new Map(
    await interruptible((signal) =>
      Promise.all(
        [...new Set(pulled.filter(isPulled))].map(
          async (image) => [image, `${image}@${await resolveDigest(image, settings, signal)}`] as const,
        ),
      ),
    ),
  );
  const pinned = <T extends { image?: string } | { source?: string }>(holder: T, key: keyof T): T => {
    const found = digests.get(holder[key] as string);
    return found === undefined ? holder : { ...holder, [key]: found };
  };
  return {
    ...project,
    services: Object.fromEntries(
      services.map(([name, service]) => {
        const { volumes } = service;
        const mounted = volumes?.map((mount) => ((mount.type as string) === 'image' ? pinned(mount, 'source') : mount));
        const whole = service.build ? service : pinned(service, 'image');
        return [name, mounted ? { ...whole, volumes: mounted } : whole];
      }),
    ),
  };
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
