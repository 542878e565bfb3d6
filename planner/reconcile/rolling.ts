/**
 * `deploy.update_config`: containers of a service are replaced in batches, each of which has to hold before the next one
 * begins. Source: compose-spec deploy.md, and docker's reference of `service update` for what is left open there.
 */
import { StackError } from '../../schemas/errors.ts';
import type { Rolling } from '../../schemas/plan.ts';
import type { Service, UpdateConfig } from '../../schemas/project.ts';
import { namespacesOf } from '../graph.ts';
import { parseDuration } from '../load/duration.ts';
import { isAwaitedJob, type Scope } from './fates.ts';
import type { Instance } from './instances.ts';

/** What docker takes where `monitor` is absent or 0. */
const usualMonitorMs = 5000;

/**
 * How those of the service's containers that are to be made anew are replaced; undefined: all at once, as without `update_config`. So it is where
 * nothing could go on meanwhile: a network is made anew below them, containers share namespaces, or they are
 * jobs that others wait for to end.
 * @throws config.value
 */
export function rollingOf(
  scope: Scope,
  service: string,
  instances: Instance[],
  warnings: string[],
): Rolling | undefined {
  const config = scope.project.services[service]!;
  const rolling = readRolling(service, config);
  if (!rolling || scope.options.noStart || sharesNamespace(scope, service) || isAwaitedJob(scope, service))
    return undefined;
  const staying = instances.filter(({ fate }) => fate !== 'remove');
  const replaced = staying.filter(({ fate }) => fate === 'recreate');
  if (replaced.some((instance) => losesNetwork(scope, instance))) return undefined;
  const { update, rollback } = rolling;
  const obstacle =
    update.order === 'start-first' ? besideObstacle(config, staying.length, update.parallelism || replaced.length) : '';
  if (obstacle) {
    warnings.push(`services.${service}: ${obstacle}: its containers are replaced stop-first, not start-first.`);
    update.order = 'stop-first';
  }
  // What has a port or an address of the old container is in its way.
  if (update.order === 'stop-first') rollback.order = 'stop-first';
  return { update, rollback };
}

/** What the service says of rolling updates, with defaults; undefined: nothing. @throws config.value */
export function readRolling(service: string, { deploy }: Service): Rolling | undefined {
  if (!deploy?.update_config) return undefined;
  const at = `services.${service}.deploy`;
  return {
    update: read(deploy.update_config, `${at}.update_config`, ['pause', 'continue', 'rollback']),
    rollback: read(deploy.rollback_config ?? {}, `${at}.rollback_config`, ['pause', 'continue']),
  };
}

/** Batches of `parallelism`, 0 for all at once. */
export function batchesOf<T>(all: T[], parallelism: number): T[][] {
  const size = parallelism > 0 ? parallelism : all.length;
  const batches: T[][] = [];
  for (let at = 0; at < all.length; at += size) batches.push(all.slice(at, at + size));
  return batches;
}

function read(config: UpdateConfig, at: string, actions: Rolling['update']['failureAction'][]): Rolling['update'] {
  const {
    parallelism = 1,
    delay,
    monitor,
    failure_action = 'pause',
    max_failure_ratio = 0,
    order = 'stop-first',
  } = config;
  const refuse = (field: string, value: unknown, wanted: string): never => {
    throw new StackError('config.value', {
      message: `${at}.${field} cannot be ${JSON.stringify(value)}.`,
      hint: `Give ${wanted}.`,
      resource: `${at}.${field}`,
    });
  };
  const duration = (field: string, value: string | undefined) =>
    value === undefined ? 0 : (parseDuration(value) ?? refuse(field, value, 'a duration, such as 10s'));
  const atOnce = Number(parallelism);
  const ratio = Number(max_failure_ratio);
  const action = actions.find((one) => one === failure_action);
  if (!Number.isInteger(atOnce) || atOnce < 0) refuse('parallelism', parallelism, 'a whole number, 0 for all at once');
  if (!(ratio >= 0 && ratio <= 1)) refuse('max_failure_ratio', max_failure_ratio, 'a number from 0 to 1');
  if (order !== 'start-first' && order !== 'stop-first') return refuse('order', order, 'start-first or stop-first');
  return {
    parallelism: atOnce,
    order,
    delayMs: duration('delay', delay),
    monitorMs: duration('monitor', monitor) || usualMonitorMs,
    failureAction: action ?? refuse('failure_action', failure_action, actions.join(' or ')),
    maxFailureRatio: ratio,
  };
}

function sharesNamespace({ graph }: Scope, service: string): boolean {
  const shares = (name: string, to?: string) =>
    graph.dependencies.get(name)!.some((edge) => namespacesOf(edge).length > 0 && (to === undefined || edge.to === to));
  return shares(service) || graph.dependents.get(service)!.some((name) => shares(name, service));
}

function losesNetwork({ networks }: Scope, { current }: Instance): boolean {
  return current!.record.endpoints.some(({ network, networkName }) => {
    const fate = networks.get(network);
    return fate?.kind === 'recreate' && fate.name === networkName;
  });
}

/** Why old and new containers cannot run beside each other; empty where they can. */
function besideObstacle(config: Service, count: number, atOnce: number): string {
  for (const [name, endpoint] of Object.entries(config.networks ?? {})) {
    const { ipv4_address, ipv6_address, mac_address } = endpoint ?? {};
    const fixed = ipv4_address ?? ipv6_address ?? mac_address;
    if (fixed) return `${fixed} on network ${name} can be one container's only`;
  }
  const together = count + Math.min(atOnce, count);
  for (const { published } of config.ports ?? []) {
    if (!published) continue;
    const [first, last = first] = published.split('-').map(Number) as [number, number?];
    if (last - first + 1 < together) return `host port ${published} is too little for ${together} containers at once`;
  }
  return '';
}
