/**
 * What the engine cannot do yet, told before anything is touched. `config` prints such a stack all the same; commands
 * that change the machine refuse it.
 */
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';
import type { Loaded } from './load.ts';
import { checkEndpoints } from './supported-endpoints.ts';
import { checkNetwork, checkOverlaps, type Fail } from './supported-networks.ts';

type Path = (string | number)[];
type Refuse = (path: Path, hint?: string) => void;

/** Attributes the engine carries out, and those that mean nothing to it. The rest of the specification is refused. */
const supported = new Set([
  ...[
    'image',
    'command',
    'entrypoint',
    'environment',
    'env_file',
    'label_file',
    'ports',
    'expose',
    'volumes',
    'networks',
  ],
  ...['network_mode', 'depends_on', 'healthcheck', 'restart', 'user', 'group_add', 'working_dir', 'tty', 'stdin_open'],
  ...[
    'init',
    'read_only',
    'tmpfs',
    'shm_size',
    'cap_add',
    'cap_drop',
    'security_opt',
    'ulimits',
    'sysctls',
    'mem_limit',
  ],
  ...['memswap_limit', 'mem_reservation', 'cpus', 'cpu_shares', 'cpuset', 'pids_limit', 'oom_score_adj', 'deploy'],
  ...[
    'labels',
    'annotations',
    'container_name',
    'hostname',
    'domainname',
    'extra_hosts',
    'dns',
    'dns_search',
    'dns_opt',
  ],
  ...[
    'stop_signal',
    'stop_grace_period',
    'scale',
    'profiles',
    'platform',
    'pull_policy',
    'logging',
    'build',
    'develop',
  ],
]);

/** Of a service, about its networks. */
const networking = ['links', 'external_links', 'mac_address'];

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
/** The forms of security_opt that the runtime reads; `seccomp=FILE` is not among them yet. */
const securityOption =
  /^(?:no-new-privileges(?:[:=](?:true|false))?|seccomp[:=](?:unconfined|builtin)|apparmor[:=].+|systempaths[:=]unconfined|label[:=].+)$/s;

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
  const refuse: Refuse = (path, hint) =>
    fail('config.not-supported', path, `not supported yet: ${path.join('.')}`, hint);
  const { networks, volumes } = loaded.project;
  const services = selected(loaded.project.services, named);
  const usedNetworks = new Set(services.flatMap(([, service]) => Object.keys(service.networks ?? {})));
  const usedVolumes = new Set(services.flatMap(([, service]) => (service.volumes ?? []).map((mount) => mount.source)));
  for (const [name, service] of services) checkService(['services', name], service, refuse);
  const own = Object.entries(networks).filter(([key, network]) => usedNetworks.has(key) && !network.external);
  for (const [key, network] of own) checkNetwork(key, network, fail);
  checkOverlaps(Object.fromEntries(own), fail);
  checkEndpoints(Object.fromEntries(services), Object.fromEntries(own), fail);
  for (const [key, volume] of Object.entries(volumes)) {
    if (volume.external || !usedVolumes.has(key)) continue;
    if (volume.driver !== undefined && volume.driver !== 'local')
      refuse(['volumes', key, 'driver'], 'Supported: local.');
    if (Object.keys(volume.driver_opts ?? {}).length > 0) refuse(['volumes', key, 'driver_opts']);
  }
  return errors;
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
  for (const [key, value] of Object.entries(service)) {
    const isKnown = supported.has(key) || networking.includes(key);
    if (!isKnown && !key.startsWith('x-') && !isNeutral(key, value)) refuse([...at, key]);
  }
  checkNetworkMode(at, service, refuse);
  for (const [index, mount] of (service.volumes ?? []).entries()) {
    const path = [...at, 'volumes', index];
    if (!['bind', 'volume', 'tmpfs'].includes(mount.type)) refuse([...path, 'type'], 'Supported: bind, volume, tmpfs.');
    if (mount.volume?.subpath) refuse([...path, 'volume', 'subpath']);
    if (mount.bind?.recursive && mount.bind.recursive !== 'enabled') refuse([...path, 'bind', 'recursive']);
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
  checkDeploy(at, service, refuse);
  checkLogging(at, service, refuse);
  for (const [index, option] of (service.security_opt ?? []).entries()) {
    if (!securityOption.test(option)) {
      refuse(
        [...at, 'security_opt', index],
        'Supported: no-new-privileges, seccomp=unconfined, apparmor=PROFILE, label=…, systempaths=unconfined.',
      );
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

/** Values that ask for what the engine does anyway. */
const neutral: Record<string, unknown> = { ipc: 'private', cgroup: 'private', attach: true };

function isNeutral(key: string, value: unknown): boolean {
  return value === '' || (value === false && key !== 'attach') || (key in neutral && neutral[key] === value);
}

function checkNetworkMode(at: Path, service: Service, refuse: Refuse): void {
  const mode = service.network_mode;
  if (
    mode === undefined ||
    ['none', 'host', 'bridge', 'default'].includes(mode) ||
    /^(?:service|container):./.test(mode)
  )
    return;
  refuse([...at, 'network_mode'], 'Supported: none, host, bridge, service:NAME, container:NAME.');
}

function checkDeploy(at: Path, service: Service, refuse: Refuse): void {
  const deploy = service.deploy;
  if (!deploy) return;
  const path = [...at, 'deploy'];
  if (deploy.mode !== undefined && deploy.mode !== 'replicated') refuse([...path, 'mode'], 'Supported: replicated.');
  for (const attribute of Object.keys(deploy.resources?.reservations ?? {})) {
    if (attribute !== 'memory' && attribute !== 'cpus') refuse([...path, 'resources', 'reservations', attribute]);
  }
}

function checkLogging(at: Path, service: Service, refuse: Refuse): void {
  const { driver, options = {} } = service.logging ?? {};
  const path = [...at, 'logging'];
  if (driver !== undefined && driver !== 'json-file' && driver !== 'local') {
    refuse([...path, 'driver'], 'Supported: json-file, local.');
    return;
  }
  for (const option of Object.keys(options)) {
    if (option !== 'max-size' && option !== 'max-file')
      refuse([...path, 'options', option], 'Supported: max-size, max-file.');
  }
}
