/**
 * What the engine cannot do, told before anything is touched. `config` prints such a stack all the same; commands
 * that change the machine refuse it.
 */
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import { ignoredAttributes } from './ignored.ts';
import type { Loaded } from './load.ts';
import { refusedAttributes } from './refused.ts';
import { refusedMount, refusedVolume } from './refused-storage.ts';
import { checkEndpoints } from './supported-endpoints.ts';
import { checkNetwork, checkOverlaps, type Fail } from './supported-networks.ts';

type Path = (string | number)[];
type Refuse = (path: Path, hint?: string, why?: string) => void;

const endpointAttributes = [
  'link_local_ips',
  'aliases',
  'interface_name',
  'ipv4_address',
  'ipv6_address',
  'mac_address',
  'priority',
  'gw_priority',
];
/**
 * An error for everything that is not supported yet in the enabled services, or in those `named` and what they depend
 * on, and in the networks and volumes they use.
 */
export function checkSupported(loaded: Loaded, named: string[] = []): StackError[] {
  const errors: StackError[] = [];
  const fail: Fail = (code, path, message, hint, other) => {
    const where = loaded.position(path);
    errors.push(
      new StackError(code, { message, hint, where, other: other && loaded.position(other), resource: path.join('.') }),
    );
  };
  const refuse: Refuse = (path, hint, why) => {
    const resource = path.join('.');
    fail('config.not-supported', path, why ? `${resource}: ${why}` : `not supported yet: ${resource}`, hint);
  };
  const { networks, volumes } = loaded.project;
  const services = selected(loaded.project.services, named);
  const usedNetworks = new Set(services.flatMap(([, service]) => Object.keys(service.networks ?? {})));
  const usedVolumes = new Set(services.flatMap(([, service]) => (service.volumes ?? []).map((mount) => mount.source)));
  for (const [name, service] of services) checkService(['services', name], service, refuse);
  const own = Object.entries(networks).filter(([key, network]) => usedNetworks.has(key) && !network.external);
  for (const [key, network] of own) checkNetwork(key, network, fail);
  checkOverlaps(Object.fromEntries(own), fail);
  checkEndpoints(Object.fromEntries(services), Object.fromEntries(own), fail);
  for (const kind of ['secrets', 'configs'] as const) {
    const used = new Set(services.flatMap(([, service]) => (service[kind] ?? []).map(({ source }) => source)));
    for (const [key, { external }] of Object.entries(loaded.project[kind] ?? {})) {
      if (!external || !used.has(key)) continue;
      const one = kind.slice(0, -1);
      refuse(
        [kind, key],
        `Give the ${one} by \`file\`, \`environment\` or \`content\`.`,
        `no store of this machine holds ${kind}`,
      );
    }
  }
  for (const [key, volume] of Object.entries(volumes)) {
    if (volume.external || !usedVolumes.has(key)) continue;
    for (const { path, why, hint } of refusedVolume(volume)) refuse(['volumes', key, ...path], hint, why);
  }
  return errors;
}

/** A word on everything in the same services that Stack takes and does nothing for. */
export function ignoredWarnings(loaded: Loaded, named: string[] = []): StackError[] {
  return selected(loaded.project.services, named).flatMap(([name, service]) =>
    ignoredAttributes(service).map(({ path, why, hint }) => {
      const whole: Path = ['services', name, ...path];
      const resource = whole.join('.');
      const where = loaded.position(whole);
      return new StackError('config.surprise', { message: `${resource} is ignored: ${why}`, hint, where, resource });
    }),
  );
}

/** What a service's image is called that the stack file gives no name, as docker compose has it. */
export const builtName = (project: Pick<Project, 'name'>, service: string): string => `${project.name}-${service}`;

/** The project with a name for every image that is built. `stack config` shows what was written. */
export function withBuiltNames(project: Project): Project {
  const services = Object.entries(project.services).map(([name, service]) => {
    return [name, service.build && !service.image ? { ...service, image: builtName(project, name) } : service] as const;
  });
  return { ...project, services: Object.fromEntries(services) };
}

function checkService(at: Path, service: Service, refuse: Refuse): void {
  for (const { path, why, hint } of refusedAttributes(service)) refuse([...at, ...path], hint, why);
  for (const [index, mount] of (service.volumes ?? []).entries()) {
    const path = [...at, 'volumes', index];
    for (const one of refusedMount(mount)) refuse([...path, ...one.path], one.hint, one.why);
  }
  for (const [index, port] of (service.ports ?? []).entries()) {
    if (port.protocol !== 'tcp' && port.protocol !== 'udp') refuse([...at, 'ports', index], 'Supported: tcp, udp.');
  }
  for (const [key, endpoint] of Object.entries(service.networks ?? {})) {
    for (const attribute of Object.keys(endpoint ?? {})) {
      if (endpointAttributes.includes(attribute)) continue;
      if (!attribute.startsWith('x-')) refuse([...at, 'networks', key, attribute]);
    }
  }
}

/** The services to look at: all, or those named with everything they depend on. */
function selected(services: Record<string, Service>, named: string[]): [string, Service][] {
  if (named.length === 0) return Object.entries(services);
  const seen = new Set<string>();
  const waiting = [...named];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    waiting.push(...Object.keys(services[name]?.depends_on ?? {}));
  }
  return Object.entries(services).filter(([name]) => seen.has(name));
}
