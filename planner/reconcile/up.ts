/** Operations of `up`: what is missing is made, what differs is replaced, in as much at once as the needs allow. */
import { StackError } from '../../schemas/errors.ts';
import type { Service } from '../../schemas/project.ts';
import type { ObservedContainer } from '../../schemas/snapshot.ts';
import { byName } from '../graph.ts';
import { otherImages } from '../images/others.ts';
import { type Builder, isUp } from './builder.ts';
import { type Scope, upFates } from './fates.ts';
import type { Instance } from './instances.ts';
import { imageOf, networkKeys, pullPolicy, volumeKeys } from './resources.ts';
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
  const volumes = addVolumes(scope, plan, instances);
  const steps = new Steps(scope, plan, fates, warnings);
  for (const instance of instances) {
    const { config } = instance;
    const needs = [
      ...[config.image ?? '', ...otherImages(config)].map((image) => pulls.get(image)),
      ...networkKeys([config]).map((key) => networks.get(key)),
      ...volumeKeys([config]).map((key) => volumes.get(key)),
    ].filter((id) => id !== undefined);
    if (instance === oneOff) steps.addOneOff(instance, needs);
    else steps.add(instance, needs);
  }
  if (scope.options.wait && !scope.options.noStart) for (const name of scope.selection.active) steps.addWait(name);
}

/** An image of an init container, or one that is mounted, is brought as one that is only pulled. */
const imageOnly = ({ platform, pull_policy }: Service, image: string): Service => ({
  command: null,
  entrypoint: null,
  image,
  ...(platform ? { platform } : {}),
  ...(pull_policy && pull_policy !== 'build' ? { pull_policy } : {}),
});

function addPulls({ selection, options, images, project, snapshot }: Scope, plan: Builder, instances: Instance[]) {
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
    const asked = options.build ? '--build' : 'its pull policy is build';
    const changed = isMissing ? undefined : snapshot.builds?.find((one) => one.image === image)?.changed;
    const cause = isMissing ? 'it is not in the store' : `${asked}${since(changed)}`;
    pulls.set(image, plan.add({ kind: 'image.build', image, service, config, cause, ...(changed ? { changed } : {}) }));
  };
  // Services and init containers may run what another service builds: no registry has it.
  const builders = new Map<string, string>();
  for (const [service, { build, image, pull_policy }] of Object.entries(project.services)) {
    const isPulled = pull_policy === 'always' || options.pull === 'always';
    if (build && image && !isPulled && !builders.has(image)) builders.set(image, service);
  }
  const add = (service: string, config: Service, isMade: boolean) => {
    const builder = config.image === undefined ? undefined : builders.get(config.image);
    if (builder !== undefined) {
      const one = config.build ? service : builder;
      addBuild(one, config.build ? config : project.services[one]!, isMade);
      return;
    }
    const policy = pullPolicy(service, config, options);
    if (!isMade && policy !== 'always') return;
    const image = imageOf(service, config, isMade ? policy : 'missing', present);
    const isMissing = !present.has(image);
    // A digest means the same forever.
    const isKnown = !isMissing && image.includes('@');
    const isAsked = policy === 'always' && !isKnown && !options.pulled?.includes(image);
    if (pulls.has(image) || !(isMissing || isAsked)) return;
    const cause = isMissing ? 'it is not in the store' : 'its pull policy is always';
    const platform = config.platform ? { platform: config.platform } : {};
    pulls.set(
      image,
      plan.add({ kind: 'image.pull', image, ...platform, policy: isAsked ? 'always' : 'missing', cause }),
    );
  };
  for (const { fate, service, config } of instances) {
    if (fate !== 'create' && fate !== 'recreate') continue;
    add(service, config, true);
    for (const image of otherImages(config)) add(service, imageOnly(config, image), true);
  }
  for (const service of [...selection.active].sort(byName)) add(service, project.services[service]!, false);
  return pulls;
}

/** How many of the changes a cause names. */
const mostNamed = 5;

function since(changed: string[] | undefined): string {
  if (!changed) return '';
  if (changed.length === 0) return ', and nothing has changed since it was built';
  const more = changed.length > mostNamed ? ` and ${changed.length - mostNamed} more` : '';
  return `, changed since it was built: ${changed.slice(0, mostNamed).join(', ')}${more}`;
}

const notBuilt = (service: string, image: string) =>
  new StackError('image.not-found', {
    message: `The image ${image} of service ${service} is not in the store, and --no-build keeps it from being built.`,
    hint: `Build it with \`stack build ${service}\`.`,
    resource: `services.${service}.build`,
  });

/** Answers, by key, what a container that mounts the volume has to wait for. */
function addVolumes({ project, volumes, snapshot }: Scope, plan: Builder, instances: Instance[]): Map<string, string> {
  const created = new Map<string, string>();
  for (const [key, { kind, name, cause, observed }] of volumes) {
    const volume = project.volumes[key]!;
    if (kind === 'keep') continue;
    if (kind === 'update') {
      plan.add({ kind: 'volume.update', key, volume, cause });
      continue;
    }
    const needs: string[] = [];
    if (kind === 'recreate') {
      const users = snapshot.containers.filter((one) => mounts(one, name));
      const removed = users.map((user) => {
        const instance = instances.find(({ current }) => current?.record.id === user.record.id);
        const leaving = plan.removalOf(user.record);
        if (leaving) return leaving;
        if (!instance) throw volumeInUse(name, user, cause);
        const stop = plan.stop(user, instance.cause);
        return plan.remove(user.record, instance.cause, stop ? [stop] : []);
      });
      needs.push(plan.add({ kind: 'volume.remove', record: observed!, cause, needs: removed }));
    }
    created.set(key, plan.add({ kind: 'volume.create', key, volume, cause, needs }));
  }
  return created;
}

const mounts = ({ record }: ObservedContainer, volume: string) =>
  record.mounts.some((mount) => mount.type === 'volume' && mount.name === volume);

function volumeInUse(volume: string, { record }: ObservedContainer, cause: string): StackError {
  return new StackError('volume.in-use', {
    message: `Volume ${volume} has to be made anew (${cause}), and ${record.name} still uses it.`,
    hint: record.isOneOff
      ? `Wait for ${record.name} to end, or run \`stack down\` first.`
      : 'Add --remove-orphans, or run `stack down --remove-orphans` first.',
    resource: `volume ${volume}`,
  });
}

/** Answers, by key, what a container that joins the network has to wait for. */
function addNetworks({ project, networks, snapshot }: Scope, plan: Builder, instances: Instance[]) {
  const created = new Map<string, string>();
  const mine = new Set(instances.map(({ current }) => current?.record.id));
  for (const [key, fate] of networks) {
    if (fate.kind === 'keep') continue;
    const network = project.networks[key]!;
    const needs: string[] = [];
    if (fate.kind === 'update') {
      plan.add({ kind: 'network.update', key, network, cause: fate.cause });
      continue;
    }
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
    const repair = fate.kind === 'repair' ? { isRepair: true } : {};
    created.set(key, plan.add({ kind: 'network.create', key, network, ...repair, cause: fate.cause, needs }));
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
