/**
 * Rule 2, a plan is data: the difference between the stack file and the machine as operations, each with its cause and
 * what it waits for. Pure, linear in services, edges and containers, and independent of the order of keys.
 */
import type { Plan } from '../../schemas/plan.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { type Graph, graph, withDependencies } from '../graph.ts';
import { Builder } from './builder.ts';
import { planDown, planRemove, planStop } from './down.ts';
import type { Scope } from './fates.ts';
import { sorted } from './instances.ts';
import type { OneOff, ReconcileOptions } from './options.ts';
import { handleOrphans } from './orphans.ts';
import { networkFates, networkKeys, volumeKeys } from './resources.ts';
import { noService, type Selection, select } from './selection.ts';
import { planRestart, planStart } from './start.ts';
import { planUp } from './up.ts';
import { volumeFates } from './volumes.ts';

/**
 * Throws a StackError where no plan can be made: `config.cycle`, `config.no-service`, `config.value`, `image.not-found`
 * (pull policy never), `network.not-found` and `volume.not-found` (external ones), `network.in-use`, `volume.changed`, `volume.in-use`.
 */
export function reconcile(project: Project, observed: Snapshot, options: ReconcileOptions): Plan {
  const built = graph(project);
  const scope = scopeOf(project, observed, options, built, select(project, built, options));
  const { snapshot } = scope;
  const warnings: string[] = [];
  const plan = new Builder(options);
  plan.strays(snapshot.strays);
  let orphans: string[] = [];
  switch (options.action) {
    case 'up':
      orphans = handleOrphans(project, snapshot, options, plan, warnings);
      affect(scope, warnings);
      planUp(scope, plan, warnings);
      break;
    case 'down':
      if (options.containersOnly) {
        planRemove(scope, plan);
        break;
      }
      planDown(scope, plan, warnings);
      if (!options.removeOrphans) orphans = handleOrphans(project, snapshot, options, plan, warnings);
      break;
    case 'stop':
      planStop(scope, plan, 'stack stop');
      break;
    case 'start':
      planStart(scope, plan);
      break;
    case 'restart':
      planRestart(scope, plan);
      break;
  }
  return { stack: project.name, action: options.action, operations: plan.operations, orphans, warnings };
}

/**
 * `stack run`: one more container of a service, beside those of `up`, once what it depends on is there. It is created and
 * not started, so that its command attaches first; the plan ends when depends_on's conditions hold. Throws as reconcile.
 */
export function reconcileOneOff(project: Project, observed: Snapshot, request: OneOff): Plan {
  const { service, config, name, pull, build, removeOrphans, pulled = [], disabledServices = [] } = request;
  if (!Object.hasOwn(project.services, service)) throw noService(service, project, disabledServices);
  const built = graph(project);
  const dependencies = request.noDeps ? [] : built.dependencies.get(service)!.map(({ to }) => to);
  const selection = {
    named: new Set(dependencies),
    active: withDependencies(built, dependencies),
    isPartial: true,
  };
  const options: ReconcileOptions = {
    action: 'up',
    disabledServices,
    pulled,
    ...(pull ? { pull } : {}),
    ...(build ? { build } : {}),
    ...(removeOrphans ? { removeOrphans } : {}),
  };
  const scope = scopeOf(project, observed, options, built, selection);
  const used = scope.snapshot.containers.flatMap(({ record }) => (record.isOneOff ? [record.number] : []));
  const number = Math.max(0, ...used) + 1;
  const warnings: string[] = [];
  const plan = new Builder(options);
  plan.strays(scope.snapshot.strays);
  if (removeOrphans) handleOrphans(project, scope.snapshot, options, plan, warnings);
  affect(scope, warnings, config);
  planUp(scope, plan, warnings, { service, number, name, config, fate: 'create', cause: 'stack run' });
  return { stack: project.name, action: 'up', operations: plan.operations, orphans: [], warnings };
}

function scopeOf(
  project: Project,
  observed: Snapshot,
  options: ReconcileOptions,
  built: Graph,
  selection: Selection,
): Scope {
  const snapshot = sorted(observed);
  const images = new Map(snapshot.images.map((image) => [image.name, image]));
  return {
    project,
    snapshot,
    options,
    graph: built,
    selection,
    networks: new Map(),
    volumes: new Map(),
    affected: new Set(),
    images,
  };
}

/** Fates of a network or a volume that its containers feel. */
const touches = new Set(['create', 'restore', 'recreate']);

/**
 * The networks and volumes of the services concerned. One that is made anew takes along every container on it, those too
 * of services that were not named; they in turn need their other networks and volumes.
 */
function affect(scope: Scope, warnings: string[], oneOff?: Service): void {
  const { project, snapshot, selection, options } = scope;
  const services = new Set(selection.active);
  for (;;) {
    const configs = [...services].map((name) => project.services[name]!);
    if (oneOff) configs.push(oneOff);
    const found: string[] = [];
    const networks = networkFates(project, snapshot, networkKeys(configs), options, found);
    const volumes = volumeFates(project, snapshot, volumeKeys(configs), options, found);
    const [touchedNetworks, touchedVolumes] = [touched(networks), touched(volumes)];
    const before = services.size;
    for (const { record } of snapshot.containers) {
      const { service, isOneOff, endpoints, mounts } = record;
      if (isOneOff || services.has(service) || !Object.hasOwn(project.services, service)) continue;
      const isOn = endpoints.some(({ networkName }) => touchedNetworks.has(networkName));
      const isMounting = mounts.some((mount) => mount.type === 'volume' && touchedVolumes.has(mount.name));
      if (isOn || isMounting) services.add(service);
    }
    if (services.size > before) continue;
    warnings.push(...found);
    Object.assign(scope, { networks, volumes, affected: services });
    return;
  }
}

/** Names on the machine of what its containers feel. */
const touched = (fates: Map<string, { kind: string; name: string }>) =>
  new Set([...fates.values()].flatMap(({ kind, name }) => (touches.has(kind) ? [name] : [])));
