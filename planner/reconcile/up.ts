/** Operations of `up`: what is missing is made, what differs is replaced, in as much at once as the needs allow. */
import { StackError } from '../../schemas/errors.ts';
import type { Service } from '../../schemas/project.ts';
import type { ObservedContainer } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { type Builder, isUp } from './builder.ts';
import { type Scope, upFates } from './fates.ts';
import type { Instance } from './instances.ts';
import { imageOf, missingVolumes, networkKeys, pullPolicy, volumeKeys } from './resources.ts';
import { readRolling } from './rolling.ts';
import { Steps } from './steps.ts';

/** `oneOff`: a container to make beside those of the services, and not to start. */
export function planUp(scope: Scope, plan: Builder, warnings: string[], oneOff?: Instance): void {
  // A mistake in it is told by the first up, not by the first update.
  for (const name of scope.selection.active) readRolling(name, scope.project.services[name]!);
  const fates = upFates(scope);
  const instances = [...fates.values()].flat();
  if (oneOff) instances.push(oneOff);
  const pulls = addPulls(scope, plan, instances);
  const networks = addNetworks(scope, plan, instances);
  const services = [...fates.keys()].map((name) => scope.project.services[name]!);
  if (oneOff) services.push(oneOff.config);
  const volumes = new Map<string, string>();
  for (const key of missingVolumes(scope.project, scope.snapshot, volumeKeys(services), warnings)) {
    const volume = scope.project.volumes[key]!;
    volumes.set(key, plan.add({ kind: 'volume.create', key, volume, cause: 'it does not exist yet' }));
  }
  const steps = new Steps(scope, plan, fates, warnings);
  for (const instance of instances) {
    const { config } = instance;
    const needs = [
      pulls.get(config.image ?? ''),
      ...networkKeys([config]).map((key) => networks.get(key)),
      ...volumeKeys([config]).map((key) => volumes.get(key)),
    ].filter((id) => id !== undefined);
    if (instance === oneOff) steps.addOneOff(instance, needs);
    else steps.add(instance, needs);
  }
  if (scope.options.wait && !scope.options.noStart) for (const name of scope.selection.active) steps.addWait(name);
}

function addPulls({ selection, options, images, project }: Scope, plan: Builder, instances: Instance[]) {
  const pulls = new Map<string, string>();
  const present = new Set(images.keys());
  const addBuild = (service: string, config: Service, isMade: boolean) => {
    const image = config.image!;
    const isMissing = !present.has(image);
    const isAsked = (options.build || config.pull_policy === 'build') && !options.pulled?.includes(image);
    if (pulls.has(image) || !(isAsked || (isMade && isMissing))) return;
    if (options.noBuild) {
      if (isMissing && isMade) throw notBuilt(service, image);
      return;
    }
    const cause = isMissing ? 'it is not in the store' : options.build ? '--build' : 'its pull policy is build';
    pulls.set(image, plan.add({ kind: 'image.build', image, service, config, cause }));
  };
  const add = (service: string, config: Service, isMade: boolean) => {
    if (config.build && config.image && !(config.pull_policy === 'always' || options.pull === 'always')) {
      addBuild(service, config, isMade);
      return;
    }
    const policy = pullPolicy(service, config, options);
    if (!isMade && policy !== 'always') return;
    const image = imageOf(service, config, isMade ? policy : 'missing', present);
    const isMissing = !present.has(image);
    const isAsked = policy === 'always' && !options.pulled?.includes(image);
    if (pulls.has(image) || !(isMissing || isAsked)) return;
    const cause = isMissing ? 'it is not in the store' : 'its pull policy is always';
    const platform = config.platform ? { platform: config.platform } : {};
    pulls.set(
      image,
      plan.add({ kind: 'image.pull', image, ...platform, policy: isAsked ? 'always' : 'missing', cause }),
    );
  };
  for (const { fate, service, config } of instances) {
    if (fate === 'create' || fate === 'recreate') add(service, config, true);
  }
  for (const service of [...selection.active].sort(byName)) add(service, project.services[service]!, false);
  return pulls;
}

const notBuilt = (service: string, image: string) =>
  new StackError('image.not-found', {
    message: `The image ${image} of service ${service} is not in the store, and --no-build keeps it from being built.`,
    hint: `Build it with \`stack build ${service}\`.`,
    resource: `services.${service}.build`,
  });

/** Answers, by key, what a container that joins the network has to wait for. */
function addNetworks({ project, networks, snapshot }: Scope, plan: Builder, instances: Instance[]) {
  const created = new Map<string, string>();
  const mine = new Set(instances.map(({ current }) => current?.record.id));
  for (const [key, fate] of networks) {
    if (fate.kind === 'keep') continue;
    const network = project.networks[key]!;
    const needs: string[] = [];
    if (fate.kind === 'recreate') {
      const before: string[] = [];
      const { record } = fate.observed!;
      const why = `network ${record.name} is made anew`;
      for (const container of snapshot.containers.filter((one) => joins(one, record.name))) {
        const leaving = plan.removalOf(container.record);
        if (!leaving && !mine.has(container.record.id) && isUp(container)) {
          throw networkInUse(record.name, container, fate.cause);
        }
        // Its interfaces go with its last process; the container itself stays until another has taken its place.
        const off = leaving ?? (mine.has(container.record.id) ? plan.stop(container, why) : undefined);
        if (off) before.push(off);
      }
      needs.push(plan.add({ kind: 'network.remove', record, cause: fate.cause, needs: before }));
    }
    created.set(key, plan.add({ kind: 'network.create', key, network, cause: fate.cause, needs }));
  }
  return created;
}

const joins = ({ record }: ObservedContainer, network: string) =>
  record.endpoints.some((endpoint) => endpoint.networkName === network);

function networkInUse(network: string, { record }: ObservedContainer, cause: string): StackError {
  return new StackError('network.in-use', {
    message: `Network ${network} has to be made anew (${cause}), and ${record.name} still uses it.`,
    hint: record.isOneOff
      ? `Wait for ${record.name} to end, or run \`stack down\` first.`
      : 'Add --remove-orphans, or run `stack down --remove-orphans` first.',
    resource: `network ${network}`,
  });
}
