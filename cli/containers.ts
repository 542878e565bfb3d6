/** Containers of a stack as commands name them. */
import type { Engine } from '../engine/engine.ts';
import { StackError } from '../schemas/errors.ts';
import type { ObservedContainer } from '../schemas/snapshot.ts';
import type { Context } from './command.ts';
import { type NamedStack, namedStack } from './project.ts';
import { renderer } from './render/render.ts';

/** The engine, and the stack that a command which shows no progress looks at. @throws what loading the stack file throws */
export async function openStack(context: Context): Promise<{ engine: Engine; stack: NamedStack }> {
  const { emit, close } = renderer(context);
  const stack = await namedStack(context, emit);
  await close();
  return { engine: await context.engine(), stack };
}

/**
 * Containers of the services named, of all where none is; one-off containers only where `run` made what is asked for.
 * @throws StackError `config.no-service`
 */
export async function findContainers(
  engine: Engine,
  stack: NamedStack,
  services: string[],
  { withOneOff = false }: { withOneOff?: boolean } = {},
): Promise<ObservedContainer[]> {
  const containers = engine.observeContainers(stack.name);
  const known = new Set([...stack.services, ...containers.map(({ record }) => record.service)]);
  checkServices(services, known);
  return containers
    .filter(({ record }) => withOneOff || !record.isOneOff)
    .filter(({ record }) => services.length === 0 || services.includes(record.service))
    .sort(inOrder);
}

/** @throws StackError `config.no-service` for the first of `services` that is not known */
export function checkServices(services: string[], known: Set<string>): void {
  const unknown = services.find((service) => !known.has(service));
  if (unknown === undefined) return;
  const names = [...known].sort();
  throw new StackError('config.no-service', {
    message: `no such service: ${unknown}`,
    hint: names.length > 0 ? `Services: ${names.join(', ')}.` : 'Start it with `stack up -d`.',
  });
}

function inOrder(a: ObservedContainer, b: ObservedContainer): number {
  if (a.record.service !== b.record.service) return a.record.service < b.record.service ? -1 : 1;
  return a.record.number - b.record.number;
}

/**
 * The container of a service that a command enters: the one with number `index`, else the first that runs.
 * `isEnded`: it need not run. @throws StackError `config.no-service`, `runtime.not-running`
 */
export async function oneContainer(
  engine: Engine,
  stack: NamedStack,
  service: string,
  index: number | undefined,
  { isEnded = false }: { isEnded?: boolean } = {},
): Promise<ObservedContainer> {
  const all = await findContainers(engine, stack, [service]);
  const running = all.filter(({ status }) => isEnded || status.state === 'running' || status.state === 'paused');
  const found = index === undefined ? running[0] : running.find(({ record }) => record.number === index);
  if (found) return found;
  const which = index === undefined ? `Service "${service}"` : `Container ${index} of service "${service}"`;
  throw new StackError('runtime.not-running', {
    message: `${which} is not running.`,
    hint: `Start it with \`stack up -d ${service}\`.`,
  });
}
