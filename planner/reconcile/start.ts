/** Operations of `start` and `restart`: containers that exist already, dependencies first. */
import { StackError } from '../../schemas/errors.ts';
import { namespacesOf } from '../graph.ts';
import type { Builder } from './builder.ts';
import { planStop } from './down.ts';
import type { Scope } from './fates.ts';
import { startCause } from './fates.ts';
import { containersByService, type Instance } from './instances.ts';
import { replicas } from './selection.ts';
import { Steps } from './steps.ts';

export function planStart(scope: Scope, plan: Builder): void {
  const fates = existing(scope, (instance) => {
    const { state } = instance.current!.status;
    if (state === 'running' || state === 'paused' || state === 'restarting') return;
    instance.fate = 'start';
    instance.cause = startCause(instance.current!);
  });
  const steps = new Steps(scope, plan, fates);
  for (const instance of [...fates.values()].flat()) steps.add(instance, []);
}

/** Stops and starts; and so whatever says `restart: true` of a service that is restarted. */
export function planRestart(scope: Scope, plan: Builder): void {
  const { graph, options, selection } = scope;
  const restarted = new Map<string, string>();
  for (const service of graph.order) {
    if (selection.active.has(service)) restarted.set(service, 'stack restart');
    else if (!options.noDeps) {
      const edge = graph.dependencies.get(service)!.find((one) => {
        return restarted.has(one.to) && (one.restart || namespacesOf(one).length > 0);
      });
      if (!edge) continue;
      const shared = namespacesOf(edge).join(' and ');
      const cause = `${edge.to} is restarted (depends_on.${edge.to}.restart)`;
      restarted.set(service, shared ? `it shares the ${shared} of ${edge.to}, which is restarted` : cause);
    }
  }
  const wide = { ...scope, selection: { ...selection, active: new Set(restarted.keys()) } };
  const fates = existing(wide, (instance) => {
    instance.fate = 'start';
    instance.cause = restarted.get(instance.service)!;
  });
  const stops = planStop(wide, plan, 'stack restart');
  const steps = new Steps(wide, plan, fates);
  for (const instance of [...fates.values()].flat()) {
    const stop = stops.get(instance.current!.record);
    steps.add(instance, stop ? [stop] : []);
  }
}

function existing(scope: Scope, decide: (instance: Instance) => void): Map<string, Instance[]> {
  const { graph, selection, project } = scope;
  const current = containersByService(scope.snapshot);
  const fates = new Map<string, Instance[]>();
  for (const service of graph.order) {
    if (!selection.active.has(service)) continue;
    const containers = current.get(service) ?? [];
    const config = project.services[service]!;
    if (containers.length === 0 && replicas(service, config, {}) > 0 && selection.named.has(service)) {
      throw new StackError('config.no-container', {
        message: `Service ${service} has no container to start.`,
        hint: `Create it with \`stack up ${service}\`.`,
        resource: `services.${service}`,
      });
    }
    const instances = containers.map((observed): Instance => {
      const { number, name } = observed.record;
      return { service, number, name, config, current: observed, fate: 'keep', cause: '' };
    });
    instances.forEach(decide);
    fates.set(service, instances);
  }
  return fates;
}
