/** What `stack config` lists by name, one a line, as docker compose does. */
import { createHash } from 'node:crypto';
import { canonical } from '../../planner/load/canonical.ts';
import type { Loaded } from '../../planner/load/load.ts';
import { imageVolumes } from '../../planner/lock/images.ts';
import type { Project, Service } from '../../schemas/project.ts';

export type List = 'services' | 'images' | 'volumes' | 'networks' | 'models' | 'profiles' | 'environment';

/** `services`: those asked for. */
export const lists: Record<List, (loaded: Loaded, services: [string, Service][]) => string[]> = {
  services: (_loaded, services) => services.map(([name]) => name),
  volumes: ({ project }) => Object.keys(project.volumes),
  networks: ({ project }) => Object.keys(project.networks),
  models: ({ project }) =>
    Object.values(((project as { models?: object }).models ?? {}) as Record<string, { model?: string }>).flatMap(
      ({ model }) => model ?? [],
    ),
  profiles: ({ project, disabled }) =>
    [...Object.values(project.services), ...Object.values(disabled)].flatMap(({ profiles = [] }) => profiles),
  images: ({ project }, services) =>
    services.flatMap(([name, service]) => [
      service.image ?? `${project.name}-${name}`,
      ...imageVolumes(service).flatMap(({ source }) =>
        source === undefined || Object.hasOwn(project.services, source) ? [] : [source],
      ),
    ]),
  environment: ({ environment }) => Object.entries(environment).map(([name, value]) => `${name}=${value}`),
};

/**
 * SHA-256 of what a service's container is made from, in hexadecimal. As with docker compose, how it is built, how often
 * and when it runs make no difference; the digits are Stack's own.
 */
export function serviceHash(project: Project, name: string): string {
  const service = { ...project.services[name] } as Record<string, unknown>;
  for (const key of ['build', 'pull_policy', 'scale', 'depends_on', 'profiles']) delete service[key];
  if (service.deploy) service.deploy = { ...(service.deploy as object), replicas: undefined };
  const text = JSON.stringify(canonical({ service } as unknown as Project));
  return createHash('sha256').update(text).digest('hex');
}
