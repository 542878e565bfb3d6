/** Decides what `up` does with every container, dependencies first, each decision with its reason. */
import type { Project } from '../../schemas/project.ts';
import type { ObservedContainer, ObservedImage, Snapshot } from '../../schemas/snapshot.ts';
import type { Graph } from '../graph.ts';
import { isUp } from './builder.ts';
import { describe, serviceDifferences } from './compare.ts';
import { changedGrants, grantsOf } from './grants.ts';
import { containersByService, type Instance, match } from './instances.ts';
import type { ReconcileOptions } from './options.ts';
import type { NetworkFate } from './resources.ts';
import { replicas, type Selection } from './selection.ts';
import type { VolumeFate } from './volumes.ts';

export interface Scope {
  project: Project;
  snapshot: Snapshot;
  options: ReconcileOptions;
  graph: Graph;
  selection: Selection;
  networks: Map<string, NetworkFate>;
  volumes: Map<string, VolumeFate>;
  /** Services with containers to look after: the active ones, and those on networks that are made anew. */
  affected: Set<string>;
  /** Images of the store by the names the stack file uses. */
  images: Map<string, ObservedImage>;
}

/** The containers of every service concerned, in dependency order of services. */
export function upFates(scope: Scope): Map<string, Instance[]> {
  const { graph, selection, options } = scope;
  const current = containersByService(scope.snapshot);
  const instances = new Map<string, Instance[]>();
  for (const service of graph.order) {
    const existing = current.get(service) ?? [];
    const isActive = selection.active.has(service);
    if (!isActive && !scope.affected.has(service)) continue;
    const config = scope.project.services[service]!;
    const count = isActive
      ? replicas(service, config, options)
      : new Set(existing.map(({ record }) => record.number)).size;
    const matched = match(scope.project, service, existing, count);
    for (const instance of matched) if (instance.fate === 'keep') decide(scope, instance, instances);
    instances.set(service, matched);
  }
  wakeJobs(scope, instances);
  return instances;
}

function decide(scope: Scope, instance: Instance, decided: Map<string, Instance[]>): void {
  const { options } = scope;
  const current = instance.current!;
  const changed = recreateCause(scope, instance, decided);
  if (changed) {
    instance.fate = 'recreate';
    instance.cause = changed;
    return;
  }
  const { state, exitCode, isStopRequested } = current.status;
  if (isUp(current)) {
    const updated = restartCause(scope, instance, decided);
    if (updated && !options.noStart) {
      instance.fate = 'restart';
      instance.cause = updated;
    }
    return;
  }
  if (options.noStart) return;
  if (state === 'exited' && exitCode === 0 && !isStopRequested && isAwaitedJob(scope, instance.service)) {
    instance.fate = 'done';
    return;
  }
  instance.fate = 'start';
  instance.cause = startCause(current);
}

/** Why a container that does not run is started, in the words of its last state. */
export function startCause({ status }: ObservedContainer): string {
  if (status.state === 'created') {
    return status.pid === 0 ? 'nothing of it runs' : 'it was created and never started';
  }
  if (status.state === 'dead') return 'its monitor is gone';
  if (status.isStopRequested) return 'it was stopped';
  if (status.isOomKilled) return `it ran out of memory (exited with ${status.exitCode})`;
  return `it exited with ${status.exitCode}`;
}

function recreateCause(scope: Scope, instance: Instance, decided: Map<string, Instance[]>): string {
  const { options, selection, project } = scope;
  const { service, config } = instance;
  const { record } = instance.current!;
  const lost = lostNetwork(scope, instance.current!) || lostVolume(scope, instance);
  if (lost) return lost;
  if (options.noRecreate) return '';
  const forced = forcedBy(options, selection, service);
  if (forced) return forced;
  const image = config.image ? scope.images.get(config.image) : undefined;
  const isSameImage = image?.id === record.image.id;
  const differences = serviceDifferences(service, record.config, config, isSameImage);
  if (differences.length > 0) return describe(differences);
  const granted = changedGrants(record.grants, grantsOf(project, config));
  if (granted) return granted;
  if (image && !isSameImage) {
    return `image ${image.name} moved ${shortDigest(record.image.id)} → ${shortDigest(image.id)}`;
  }
  if (record.name !== instance.name)
    return `its name: ${JSON.stringify(record.name)} → ${JSON.stringify(instance.name)}`;
  const renamed = renamedResource(project, instance);
  if (renamed) return renamed;
  for (const edge of scope.graph.dependencies.get(service) ?? []) {
    if (!edge.sharesNamespace || !decided.has(edge.to)) continue;
    const peer = peerOf(instance, decided.get(edge.to)!);
    if (!peer) return `it shares the network of ${edge.to}, which was made anew`;
    if (peer.fate === 'recreate' || peer.fate === 'create') {
      return `it shares the network of ${edge.to}, which is made anew`;
    }
  }
  return lostPeer(scope, instance, decided);
}

/** Of other things it shares the container they were another's: they went with it. */
function lostPeer({ graph }: Scope, { service, current }: Instance, decided: Map<string, Instance[]>): string {
  for (const { to, shares } of graph.dependencies.get(service) ?? []) {
    const others = decided.get(to)?.filter(({ fate }) => fate !== 'remove');
    if (shares.length === 0 || !others?.length) continue;
    const what = shares.join(' and ');
    const isRemade = others.some(({ fate }) => fate === 'recreate' || fate === 'create');
    if (isRemade) return `it shares the ${what} of ${to}, which is made anew`;
    const ids = shares.map((kind) => current!.record.peers?.[kind === 'volumes' ? `volumes ${to}` : kind]);
    const isKnown = (id: string | undefined) => !id || others.some((other) => other.current?.record.id === id);
    if (!ids.every(isKnown)) return `it shares the ${what} of ${to}, which was made anew`;
  }
  return '';
}

/** The services named and what they depend on have flags of their own, as with docker compose. */
function forcedBy(options: ReconcileOptions, { named, active }: Selection, service: string): string {
  if (!active.has(service)) return '';
  if (!named.has(service)) return options.alwaysRecreateDeps ? '--always-recreate-deps' : '';
  if (options.forceRecreate) return '--force-recreate';
  return options.renewAnonVolumes ? '--renew-anon-volumes' : '';
}

/** The container whose network it was made to share, among those that stay. */
function peerOf({ current }: Instance, candidates: Instance[]): Instance | undefined {
  const { networkPeer } = current!.record;
  const staying = candidates.filter(({ fate }) => fate !== 'remove');
  return networkPeer === undefined ? staying[0] : staying.find((one) => one.current?.record.id === networkPeer);
}

const shortDigest = (digest: string) => `${digest.slice(0, 'sha256:'.length + 12)}…`;

/** The keys stayed and the names on the machine changed: the container hangs on the old ones. */
function renamedResource(project: Project, instance: Instance): string {
  const { record } = instance.current!;
  for (const { network, networkName } of record.endpoints) {
    const wanted = project.networks[network]?.name;
    if (wanted && wanted !== networkName) return `networks.${network}.name: "${networkName}" → "${wanted}"`;
  }
  for (const mount of instance.config.volumes ?? []) {
    const wanted = mount.type === 'volume' && mount.source ? project.volumes[mount.source]?.name : undefined;
    const had = record.mounts.find(({ target, type }) => target === mount.target && type === 'volume');
    if (wanted && had?.type === 'volume' && had.name !== wanted) {
      return `volumes.${mount.source}.name: "${had.name}" → "${wanted}"`;
    }
  }
  return '';
}

/** A volume it mounts is made anew: what it has open belongs to the old one. */
function lostVolume({ volumes }: Scope, instance: Instance): string {
  const { record } = instance.current!;
  const mounted = new Set(record.mounts.flatMap((mount) => (mount.type === 'volume' ? [mount.name] : [])));
  for (const { kind, name, cause } of volumes.values()) {
    if (!mounted.has(name)) continue;
    if (kind === 'create' || kind === 'restore') return `volume ${name} was gone, and is made anew`;
    if (kind !== 'recreate') continue;
    instance.isRemovedFirst = true;
    return `volume ${name} is made anew (${cause})`;
  }
  return '';
}

/** A network it joins is made anew: its interface goes with the old one. */
function lostNetwork({ networks }: Pick<Scope, 'networks'>, { record, status }: ObservedContainer): string {
  for (const endpoint of record.endpoints) {
    const fate = networks.get(endpoint.network);
    if (!fate || fate.name !== endpoint.networkName) continue;
    if (fate.kind === 'create') return `network ${fate.name} was gone, and is made anew`;
    if (fate.kind === 'recreate') return `network ${endpoint.networkName} is made anew (${fate.cause})`;
    const id = fate.observed?.record.id;
    if (id && endpoint.networkId && id !== endpoint.networkId) return `network ${endpoint.networkName} was made anew`;
    // Created and waiting on a bridge that is gone: nothing has run in it, so nothing is lost.
    if (fate.kind === 'restore' && status.state === 'created' && status.pid !== 0) {
      return `network ${endpoint.networkName}: ${fate.cause}`;
    }
  }
  return '';
}

/** A running container keeps what it wrote: its interfaces come back with a restart. */
function restartCause(scope: Scope, instance: Instance, decided: Map<string, Instance[]>): string {
  for (const { network, networkName } of instance.current!.record.endpoints) {
    const fate = scope.networks.get(network);
    if (fate?.kind === 'restore' && fate.name === networkName) {
      return `network ${networkName}: ${fate.cause}`;
    }
  }
  for (const edge of scope.graph.dependencies.get(instance.service) ?? []) {
    const fates = new Set(decided.get(edge.to)?.map(({ fate }) => fate));
    if (edge.sharesNamespace) {
      const peer = peerOf(instance, decided.get(edge.to) ?? []);
      if (peer?.fate === 'start' || peer?.fate === 'restart') {
        return `it shares the network of ${edge.to}, which is started again`;
      }
      const [its, ours] = [peer?.current?.networkNamespace, instance.current!.networkNamespace];
      if (its && ours && its !== ours) return `it shares the network of ${edge.to}, which was started again`;
    }
    const namespaces = edge.shares.filter((kind) => kind !== 'volumes');
    if (namespaces.length > 0 && (fates.has('start') || fates.has('restart'))) {
      return `it shares the ${namespaces.join(' and ')} of ${edge.to}, which is started again`;
    }
    if (edge.restart && (fates.has('recreate') || fates.has('restart'))) {
      return `${edge.to} is ${fates.has('recreate') ? 'made anew' : 'restarted'} (depends_on.${edge.to}.restart)`;
    }
  }
  return '';
}

export function isAwaitedJob({ project, graph }: Scope, service: string): boolean {
  return graph.dependents
    .get(service)!
    .some((name) => project.services[name]!.depends_on?.[service]?.condition === 'service_completed_successfully');
}

/** A finished job runs again, as compose has it, where something that waits for it is about to start. */
function wakeJobs({ project, graph }: Scope, instances: Map<string, Instance[]>): void {
  for (const service of [...graph.order].reverse()) {
    const jobs = instances.get(service)?.filter(({ fate }) => fate === 'done') ?? [];
    if (jobs.length === 0) continue;
    const waiting = graph.dependents
      .get(service)!
      .find(
        (name) =>
          project.services[name]!.depends_on?.[service]?.condition === 'service_completed_successfully' &&
          instances.get(name)?.some(({ fate }) => ['create', 'start', 'restart', 'recreate'].includes(fate)),
      );
    if (!waiting) continue;
    for (const job of jobs) {
      job.fate = 'start';
      job.cause = `${waiting} waits for it to complete`;
    }
  }
}
