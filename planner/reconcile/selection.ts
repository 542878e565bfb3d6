/** Which services a command is about, how many containers each should have and what they are called. */
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { byName, type Graph, withDependencies } from '../graph.ts';
import type { ReconcileOptions } from './options.ts';

export interface Selection {
  /** Services named on the command line, or all of them. */
  named: Set<string>;
  /** Those and, where asked, what they depend on. */
  active: Set<string>;
  isPartial: boolean;
}

/** Throws `config.no-service` for a name the project does not have. */
export function select(project: Project, graph: Graph, options: ReconcileOptions): Selection {
  const asked = options.services ?? [];
  const wrong = [...asked, ...Object.keys(options.scale ?? {})].filter(
    (name) => !Object.hasOwn(project.services, name),
  );
  if (wrong.length > 0) throw noService(wrong[0]!, project, options.disabledServices ?? []);
  const named = new Set(asked.length > 0 ? asked : graph.order);
  const brings = options.action === 'up' || options.action === 'start';
  const active = options.noDeps || !brings ? named : withDependencies(graph, named);
  return { named, active, isPartial: asked.length > 0 };
}

export function noService(name: string, project: Project, disabled: string[] = []): StackError {
  const known = Object.keys(project.services).sort(byName);
  return new StackError('config.no-service', {
    message: `The stack ${project.name} has no service ${name}.`,
    hint: disabled.includes(name)
      ? `No active profile enables it: name its profile with --profile.`
      : known.length > 0
        ? `It has ${known.slice(0, 12).join(', ')}${known.length > 12 ? ' and more' : ''}.`
        : 'It has no services.',
    resource: `services.${name}`,
  });
}

/** Number of containers a service should have: `--scale`, `scale`, `deploy.replicas`, else 1. */
export function replicas(name: string, service: Service, options: Pick<ReconcileOptions, 'scale'>): number {
  // Somebody else runs it.
  if (service.provider) return 0;
  const count = options.scale?.[name] ?? service.scale ?? service.deploy?.replicas ?? 1;
  if (!Number.isInteger(count) || count < 0) {
    throw new StackError('config.value', {
      message: `Service ${name} cannot have ${count} containers.`,
      hint: 'Give a whole number, 0 or more.',
      resource: `services.${name}.scale`,
    });
  }
  if (count > 1 && service.container_name) {
    throw new StackError('config.value', {
      message: `Service ${name} asks for ${count} containers, and for the one name ${service.container_name}.`,
      hint: 'Remove container_name, or scale the service to 1.',
      resource: `services.${name}.container_name`,
    });
  }
  return count;
}

/** `demo-web-1`, or what container_name says. */
export function containerName(project: string, service: string, number: number, config: Service): string {
  return config.container_name ?? `${project}-${service}-${number}`;
}
