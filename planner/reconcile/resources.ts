/** What becomes of the networks, volumes and images a stack uses. */
import { type NetworkRecord, noStack } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { ObservedNetwork, Snapshot } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { definitionDifferences, describe } from './compare.ts';
import type { PullPolicy, ReconcileOptions } from './options.ts';

export interface NetworkFate {
  /**
   * `restore`: the record is there and the kernel's part is gone. `repair`: it is there and not as it was made; who is on it
   * stays. `update`: labels changed, which live in the record alone. `recreate`: the definition changed.
   */
  kind: 'keep' | 'create' | 'restore' | 'repair' | 'update' | 'recreate';
  /** On the machine. */
  name: string;
  cause: string;
  observed?: ObservedNetwork;
}

/** Keys of the networks that services join, sorted. */
export function networkKeys(services: Service[]): string[] {
  return [...new Set(services.flatMap((service) => Object.keys(service.networks ?? {})))].sort(byName);
}

/** Keys of the named volumes that services mount, sorted. */
export function volumeKeys(services: Service[]): string[] {
  const mounts = services.flatMap((service) => service.volumes ?? []);
  return [...new Set(mounts.flatMap((mount) => (mount.type === 'volume' && mount.source ? [mount.source] : [])))].sort(
    byName,
  );
}

/** Fields that live in the record alone: nobody on the network notices. */
const inRecord = /^networks\.[^.]+\.(?:labels\b|attachable$)/;

/** Throws `network.not-found` for an external network that the machine does not have. */
export function networkFates(
  project: Project,
  snapshot: Snapshot,
  keys: string[],
  options: ReconcileOptions,
  warnings: string[],
): Map<string, NetworkFate> {
  const observed = new Map(snapshot.networks.map((network) => [network.record.name, network]));
  const fates = new Map<string, NetworkFate>();
  for (const key of keys) {
    const network = project.networks[key];
    if (!network) continue;
    const { name } = network;
    const found = observed.get(name);
    if (network.external && !found) throw externalMissing('network', key, network.name);
    if (!found) {
      fates.set(key, { kind: 'create', name, cause: 'it does not exist yet' });
      continue;
    }
    const isOurs = found.record.stack === snapshot.stack && !network.external;
    // One that no stack made comes back with the first that needs it, as docker makes its own anew after a boot.
    const isNobodys = found.record.stack === noStack;
    if (!isOurs && !isNobodys && !found.exists) {
      throw new StackError('network.not-found', {
        message: `The network ${network.name} of the stack ${found.record.stack} is not there: its ${linkOf(found.record)} is gone.`,
        hint: `Bring that stack up first: \`stack -p ${found.record.stack} up\`.`,
        resource: `networks.${key}`,
      });
    }
    if (!isOurs && !network.external) warnings.push(foreign('network', network.name, found.record.stack));
    const differences = isOurs ? definitionDifferences('networks', key, found.record.config, network) : [];
    const isLabels = differences.every(({ path }) => inRecord.test(path));
    if (differences.length > 0 && !isLabels && !options.noRecreate) {
      fates.set(key, { kind: 'recreate', name, cause: describe(differences), observed: found });
    } else if (!found.exists && (isOurs || isNobodys)) {
      fates.set(key, { kind: 'restore', name, cause: `its ${linkOf(found.record)} is gone`, observed: found });
    } else if (found.drift && isOurs) {
      fates.set(key, { kind: 'repair', name, cause: found.drift.join(', '), observed: found });
    } else if (differences.length > 0 && isLabels) {
      fates.set(key, { kind: 'update', name, cause: describe(differences), observed: found });
    } else {
      fates.set(key, { kind: 'keep', name, cause: '', observed: found });
    }
  }
  return fates;
}

/** What the kernel has of a network. */
const linkOf = ({ parent, bridge }: NetworkRecord): string => (parent ? `parent ${parent}` : `bridge ${bridge}`);

export function externalMissing(kind: 'network' | 'volume', key: string, name: string): StackError {
  return new StackError(`${kind}.not-found`, {
    message: `The external ${kind} ${name} does not exist.`,
    hint: `Make it with \`stack ${kind} create ${name}\` or start the stack that makes it, or remove \`external: true\` from ${kind}s.${key}.`,
    resource: `${kind}s.${key}`,
  });
}

export function foreign(kind: string, name: string, stack: string): string {
  if (stack === '')
    return `The ${kind} ${name} was made by hand and is used as it is. Say \`external: true\` if that is meant.`;
  return `The ${kind} ${name} was made by the stack ${stack} and is used as it is. Say \`external: true\` if that is meant.`;
}

/** How an image is come by: `--pull`, else pull_policy, else only where it is missing. */
export function pullPolicy(name: string, service: Service, options: Pick<ReconcileOptions, 'pull'>): PullPolicy {
  const policy = options.pull ?? service.pull_policy ?? 'missing';
  if (policy === 'if_not_present') return 'missing';
  // A service that is built never comes here by this word.
  if (policy === 'build') return 'missing';
  if (policy === 'missing' || policy === 'always' || policy === 'never') return policy;
  throw new StackError('config.not-supported', {
    message: `The pull policy ${policy} of service ${name} is not supported yet.`,
    hint: 'Use always, missing or never.',
    resource: `services.${name}.pull_policy`,
  });
}

/** The image's name; throws where the service has none (to be built) or where it may not be pulled and is not there. */
export function imageOf(name: string, service: Service, policy: PullPolicy, present: Set<string>): string {
  if (!service.image) {
    throw new StackError('config.not-supported', {
      message: `Building the image of service ${name} is not supported yet.`,
      hint: `Give services.${name}.image the name of an image.`,
      resource: `services.${name}.build`,
    });
  }
  if (policy === 'never' && !present.has(service.image)) {
    throw new StackError('image.not-found', {
      message: `The image ${service.image} of service ${name} is not in the store, and its pull policy is never.`,
      hint: `Load it with \`stack image load\`, pull it with \`stack image pull ${service.image}\`, or change pull_policy.`,
      resource: `services.${name}.image`,
    });
  }
  return service.image;
}
