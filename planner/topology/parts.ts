/** Builds and hooks of a service as edges of the topology. */
import type { Service } from '../../schemas/project.ts';
import type { TopologyEdge } from './topology.ts';

/** The build of a service: what its image comes from, and what it reads. `imageOf`: the node of another service's image. */
export function buildEdges(
  name: string,
  section: Record<string, unknown>,
  image: string,
  imageOf: (service: string) => string,
): TopologyEdge[] {
  const build = `build/${name}`;
  const found: TopologyEdge[] = [{ from: image, to: build, type: 'built-by' }];
  for (const { source } of (section.secrets ?? []) as { source: string }[]) {
    found.push({ from: build, to: `secret/${source}`, type: 'reads' });
  }
  for (const context of Object.values((section.additional_contexts ?? {}) as Record<string, string>)) {
    const service = /^service:(.+)$/.exec(context)?.[1];
    if (service !== undefined) found.push({ from: build, to: imageOf(service), type: 'uses' });
  }
  return found;
}

const moments = ['pre_start', 'post_start', 'pre_stop'] as const;

interface Hook {
  command?: string[] | null;
  image?: string;
}

const hooksOf = (service: Service, moment: string) =>
  (service as unknown as Record<string, Hook[] | undefined>)[moment] ?? [];

/** `web.post_start.0`; a hook that runs before the service has a container of its own, and so an image. */
export function hookEdges(name: string, service: Service): TopologyEdge[] {
  return moments.flatMap((moment) =>
    hooksOf(service, moment).flatMap((hook, index) => {
      const id = `hook/${name}.${moment}.${index}`;
      const runs = hook.image === undefined ? [] : [{ from: id, to: `image/${hook.image}`, type: 'runs' as const }];
      return [{ from: `service/${name}`, to: id, type: 'calls' as const }, ...runs];
    }),
  );
}

/** `post_start: make ready`, of the hook whose node is called `web.post_start.0`. */
export function hookName(services: Record<string, Service>, node: string): string {
  const parts = node.split('.');
  const [moment, index] = parts.splice(-2) as [string, string];
  const { command, image } = hooksOf(services[parts.join('.')]!, moment)[Number(index)]!;
  return `${moment}: ${command?.join(' ') ?? image ?? ''}`;
}
