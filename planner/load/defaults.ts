/** Phase 9: what the file leaves unsaid. Source: compose-spec 05-services.md, 06-networks.md; docker compose. */
import type { Project } from '../../schemas/project.ts';
import type { Skip } from './assemble.ts';
import type { Model } from './normalise.ts';
import { omitEmptyOfDefinition, omitEmptyOfService } from './omit.ts';
import type { Places } from './places.ts';

type Service = Record<string, unknown>;

/**
 * Changes `service` in place. `directory` is where a build without a context happens. `isBare`: only what docker compose
 * adds with `--no-normalize` too, to attributes that are there.
 */
export function completeService(service: Service, directory: string, places: Places, isBare = false): void {
  const build = service.build as Service | undefined;
  const hasDockerfile = build?.dockerfile !== undefined || build?.dockerfile_inline !== undefined;
  omitEmptyOfService(service);
  service.command ??= null;
  service.entrypoint ??= null;
  if (build) build.context ??= directory;
  for (const port of (service.ports ?? []) as (Record<string, unknown> | string)[]) {
    if (typeof port === 'string') continue;
    port.mode ??= 'ingress';
    port.protocol ??= 'tcp';
  }
  const deploy = service.deploy as Service | undefined;
  if (deploy) {
    deploy.placement ??= {};
    deploy.resources ??= {};
  }
  for (const holder of [service, build]) {
    if (Array.isArray(holder?.extra_hosts)) holder.extra_hosts = holder.extra_hosts.toSorted();
  }
  for (const device of reservedDevices(service)) {
    if (device.count === undefined && device.device_ids === undefined) device.count = -1;
  }
  if (isBare) return;
  if (build && !hasDockerfile) build.dockerfile = 'Dockerfile';
  if (deploy && service.scale !== undefined) deploy.replicas ??= service.scale;
  const hasNoNetworks = service.networks === undefined || Object.keys(service.networks as object).length === 0;
  if (service.network_mode === undefined && service.provider === undefined && hasNoNetworks)
    service.networks = { default: null };
  for (const hook of (service.pre_start ?? []) as Service[]) {
    if (service.image !== undefined) hook.image ??= service.image;
  }
  for (const { name, restart, attribute } of impliedDependencies(service)) {
    const dependencies = (service.depends_on ?? {}) as Record<string, unknown>;
    if (dependencies[name] !== undefined) continue;
    dependencies[name] = { condition: 'service_started', ...(restart ? { restart } : {}), required: true };
    places.set(dependencies, name, places.get(service, attribute));
    service.depends_on = dependencies;
  }
}

/** Devices asked for without a number are all there are. Source: compose-spec deploy.md "count". */
function reservedDevices(service: Service): Service[] {
  const deploy = service.deploy as { resources?: { reservations?: { devices?: Service[] } } } | undefined;
  return [...(deploy?.resources?.reservations?.devices ?? []), ...((service.gpus ?? []) as Service[])];
}

interface ImpliedDependency {
  name: string;
  /** Restarted when the other is. */
  restart: boolean;
  /** The attribute that implies it. */
  attribute: string;
}

/** Services this one needs without saying so: it shares their namespaces, their volumes or links to them. */
function impliedDependencies(service: Service): ImpliedDependency[] {
  const implied: ImpliedDependency[] = [];
  for (const attribute of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup']) {
    const value = service[attribute];
    if (typeof value !== 'string' || !value.startsWith('service:')) continue;
    implied.push({ name: value.slice('service:'.length), restart: true, attribute });
  }
  for (const link of (service.links ?? []) as string[]) {
    implied.push({ name: link.split(':')[0]!, restart: true, attribute: 'links' });
  }
  for (const from of (service.volumes_from ?? []) as string[]) {
    if (from.startsWith('container:')) continue;
    implied.push({ name: from.split(':')[0]!, restart: false, attribute: 'volumes_from' });
  }
  return implied;
}

/**
 * Names, the default network, and only those networks, volumes, configs and secrets that `services` use. Without
 * normalisation nothing is added; without interpolation nobody knows what is used, and all of them stay.
 */
export function completeProject(
  name: string,
  model: Model,
  services: Record<string, Service>,
  places: Places,
  { normalisation: isBare, interpolation: keepsUnused }: Skip = {},
): Project {
  const used = usedResources(services);
  const pick = (section: 'networks' | 'volumes' | 'configs' | 'secrets', complete: (definition: Service) => void) => {
    const result: Record<string, Service> = {};
    for (const key of Object.keys(model[section])) {
      if (!keepsUnused && !used[section].has(key)) continue;
      const definition = model[section][key]!;
      omitEmptyOfDefinition(definition);
      if (!isBare) definition.name ??= definition.external ? key : `${name}_${key}`;
      complete(definition);
      result[key] = definition;
      places.set(result, key, places.get(model[section], key));
    }
    return result;
  };
  if (used.networks.has('default')) model.networks.default ??= {};
  const networks = pick('networks', (network) => {
    const { driver, config } = (network.ipam ?? {}) as Record<string, unknown>;
    network.ipam = { ...(driver === undefined ? {} : { driver }), ...(config === undefined ? {} : { config }) };
  });
  const volumes = pick('volumes', () => {});
  const configs = pick('configs', () => {});
  const secrets = pick('secrets', () => {});
  const project: Record<string, unknown> = { name, services, networks, volumes };
  if (Object.keys(configs).length > 0) project.configs = configs;
  if (Object.keys(secrets).length > 0) project.secrets = secrets;
  if (Object.keys(model.models).length > 0) project.models = model.models;
  for (const key of Object.keys(model)) {
    if (!key.startsWith('x-')) continue;
    project[key] = model[key as `x-${string}`];
    places.set(project, key, places.get(model, key));
  }
  for (const section of ['services', 'networks', 'volumes', 'configs', 'secrets', 'models', 'name']) {
    places.set(project, section, places.get(model, section));
  }
  return project as unknown as Project;
}

function usedResources(
  services: Record<string, Service>,
): Record<'networks' | 'volumes' | 'configs' | 'secrets', Set<string>> {
  const used = {
    networks: new Set<string>(),
    volumes: new Set<string>(),
    configs: new Set<string>(),
    secrets: new Set<string>(),
  };
  for (const service of Object.values(services)) {
    for (const network of Object.keys((service.networks ?? {}) as object)) used.networks.add(network);
    for (const mount of (service.volumes ?? []) as { type?: string; source?: string }[]) {
      if (mount.type === 'volume' && mount.source !== undefined) used.volumes.add(mount.source);
    }
    for (const section of ['configs', 'secrets'] as const) {
      const grants = [service[section], section === 'secrets' && (service.build as Service | undefined)?.secrets];
      for (const grant of grants.flatMap((list) => (Array.isArray(list) ? list : []))) used[section].add(grant.source);
    }
  }
  return used;
}
