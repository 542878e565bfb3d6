/** The images a stack pulls, by the names its lock knows them by, and the same stack with their digests. */
import type { Project, Service, ServiceVolume } from '../../schemas/project.ts';
import { byName } from '../graph.ts';
import { otherImages } from '../images/others.ts';
import { familiar, parseReference } from '../images/reference.ts';

/** Volumes that are images: `type: image`. */
export function imageVolumes({ volumes = [] }: Service): ServiceVolume[] {
  return volumes.filter(({ type }) => type === 'image');
}

/** The name an image is locked under: `redis` and `docker.io/library/redis:latest` are one. @throws image.reference */
export const lockName = (image: string): string => familiar(parseReference(image).name);

/**
 * Names, as written, of the images that are pulled and say no digest themselves. What is built here, by the service itself or
 * by another, is not among them. Sorted, each once.
 */
export function pulledImages(services: Record<string, Service>): string[] {
  const all = Object.values(services);
  const built = new Set(all.flatMap(({ build, image }) => (build && image ? [image] : [])));
  const written = all.flatMap((service) => [service.image, ...otherImages(service)]);
  const isPulled = (image: string | undefined): image is string =>
    image !== undefined && !image.includes('@') && !built.has(image) && !Object.hasOwn(services, image);
  return [...new Set(written.filter(isPulled))].sort(byName);
}

/** The project with `NAME:TAG@DIGEST` for every image that `digestOf`, asked with the name as written, has one for. */
export function withDigests(project: Project, digestOf: (image: string) => string | undefined): Project {
  const pulled = new Set(pulledImages(project.services));
  const pinned = <T extends { image?: string } | { source?: string }>(holder: T, key: keyof T): T => {
    const image = holder[key] as string | undefined;
    const digest = image !== undefined && pulled.has(image) ? digestOf(image) : undefined;
    return digest === undefined ? holder : { ...holder, [key]: `${image}@${digest}` };
  };
  const services = Object.entries(project.services).map(([name, service]) => {
    const whole = pinned(service, 'image');
    const volumes = service.volumes?.map((mount) => (mount.type === 'image' ? pinned(mount, 'source') : mount));
    const pre_start = service.pre_start?.map((hook) => pinned(hook, 'image'));
    return [name, { ...whole, ...(volumes ? { volumes } : {}), ...(pre_start ? { pre_start } : {}) }] as const;
  });
  return { ...project, services: Object.fromEntries(services) };
}
