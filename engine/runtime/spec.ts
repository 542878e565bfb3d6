/** A canonical service and an image become the OCI config.json of one container, with docker's semantics. Pure. */
import type { ResolvedMount } from '../../schemas/container.ts';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import type { NamespaceType, RuntimeSpec, Seccomp } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import { type Grants, noGrants } from '../devices/grants.ts';
import type { SecurityModules } from '../security/security.ts';
import { capabilitySets, containerCapabilities } from './capabilities.ts';
import { containerMounts, defaultShmSize, type IpcMounts, rootPropagation } from './mounts.ts';
import { imageAnnotations } from './spec-annotations.ts';
import type { FindDevice } from './spec-block-io.ts';
import { commandLine, environment, rlimits, workingDirectory } from './spec-process.ts';
import { bytes, resources } from './spec-resources.ts';
import { securityOptions } from './spec-security.ts';
import { sysctls } from './spec-sysctl.ts';
import type { User } from './users.ts';

/** How a namespace comes to be: a new one, the host's, or another container's by its path below /proc. */
export type NamespaceChoice = 'new' | 'host' | { path: string };

export interface SpecRequest {
  /** 64 hex digits. */
  id: string;
  stack: string;
  service: string;
  config: Service;
  image: ImageConfig;
  user: User;
  mounts: ResolvedMount[];
  /** Absolute directory of the views of images that are mounted. */
  viewsPath?: string;
  /** `root.path`: the root file system, relative to the bundle or absolute. */
  rootPath: string;
  /** Host paths of the files written for this container, or for the one whose network it shares. */
  files: { hosts: string; hostname: string; resolvConf: string };
  /** Namespaces that are not new ones; `network` for network_mode host, service: and container:. */
  namespaces?: Partial<Record<NamespaceType, NamespaceChoice>>;
  /** Of the container whose `ipc` it shares: where its /dev/shm is found. */
  peerShm?: string;
  /** The host's name: what a container in the host's network is called. */
  hostHostname: string;
  /** Absolute path of the cgroup below the top of each hierarchy (see engine/runtime/cgroup). */
  cgroupsPath: string;
  /** Capabilities this process may hand on; every capability where absent. */
  availableCapabilities?: string[];
  /**
   * The filter for the given capabilities (engine/runtime/seccomp), the default one or that of a file; asked only where
   * the service is not unconfined.
   */
  seccomp(capabilities: string[], file?: string): Seccomp;
  /** What the service's devices bring (engine/devices); nothing where absent. */
  devices?: Grants;
  /** Numbers of a device of the host, for limits on it. */
  findDevice?: FindDevice;
  /** Profile and labels as the machine's security modules have them; none where absent. */
  modules?: SecurityModules;
  /** `run` and `exec`-like overrides of the service's own. */
  isTty?: boolean;
}

/** Paths whose content tells about the host or lets it be changed: hidden by an empty file or directory. */
export const maskedPaths = [
  ...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/sched_debug', '/proc/scsi', '/proc/timer_list', '/proc/timer_stats'],
  ...['/sys/devices/virtual/powercap', '/sys/firmware'],
];
export const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Hostname as `hostname` sets it, the host's in its network or under its name, or the short id. */
export function containerHostname(request: Pick<SpecRequest, 'config' | 'id' | 'namespaces' | 'hostHostname'>): string {
  if (request.config.hostname) return request.config.hostname;
  const { network, uts } = request.namespaces ?? {};
  return network === 'host' || uts === 'host' ? request.hostHostname : request.id.slice(0, 12);
}

/**
 * config.json of one container (runtime-spec v1.2; image-spec conversion.md for what comes from the image).
 * @throws config.value where the service asks for what cannot be: no command, an unknown capability, ulimit or sysctl.
 */
export function toRuntimeSpec(request: SpecRequest): RuntimeSpec {
  const { config, user } = request;
  const resource = `services.${request.service}`;
  const isPrivileged = config.privileged === true;
  const isTty = request.isTty ?? config.tty === true;
  const hostname = containerHostname(request);
  const network = request.namespaces?.network ?? 'new';
  const security = securityOptions(config.security_opt ?? [], resource);
  const capabilities = containerCapabilities({
    add: config.cap_add,
    drop: config.cap_drop,
    isPrivileged,
    available: request.availableCapabilities,
    resource,
  });
  // Docker: a privileged container has no filter but one that it names.
  const isUnconfined = security.seccomp === 'unconfined' || (isPrivileged && security.seccomp === 'default');
  const profileFile = typeof security.seccomp === 'object' ? security.seccomp.file : undefined;
  const devices = request.devices ?? noGrants();
  const where = `${resource}.security_opt`;
  // A privileged container has what the host's processes have; a profile that it names is its own wish.
  const profile = request.modules?.apparmor(security.apparmor ?? (isPrivileged ? 'unconfined' : undefined), where);
  const labels = request.modules?.selinux(isPrivileged ? { isDisabled: true } : security.label, where);
  const propagation = rootPropagation(request.mounts);
  const hasOpenPaths = isPrivileged || security.hasOpenSystemPaths;

  return {
    ociVersion: '1.2.0',
    process: {
      terminal: isTty,
      user: {
        uid: user.uid,
        gid: user.gid,
        additionalGids: [...new Set([...user.additionalGids, ...devices.additionalGids])],
      },
      args: commandLine(config, request.image.config ?? {}, resource),
      env: environment({
        // A device's variables are over the image's, and the service's over both.
        image: [...(request.image.config?.Env ?? []), ...devices.env],
        service: config.environment ?? {},
        hostname: config.domainname ? `${hostname}.${config.domainname}` : hostname,
        home: user.home,
        isTty,
      }),
      cwd: workingDirectory(config.working_dir, request.image.config?.WorkingDir),
      capabilities: capabilitySets(capabilities, user.uid),
      rlimits: rlimits(config.ulimits ?? {}, resource),
      noNewPrivileges: security.hasNoNewPrivileges,
      ...(profile ? { apparmorProfile: profile } : {}),
      ...(labels ? { selinuxLabel: labels.process } : {}),
      ...(config.oom_score_adj === undefined ? {} : { oomScoreAdj: config.oom_score_adj }),
    },
    root: { path: request.rootPath, ...(config.read_only ? { readonly: true } : {}) },
    ...(request.namespaces?.uts === 'host' ? {} : names(hostname, config.domainname)),
    mounts: containerMounts({
      mounts: request.mounts,
      ...(request.viewsPath ? { views: request.viewsPath } : {}),
      devices: devices.mounts,
      shmSize: config.shm_size === undefined ? defaultShmSize : bytes(config.shm_size, `${resource}.shm_size`),
      isReadOnlyRoot: config.read_only === true,
      isPrivileged,
      files: request.files,
      ipc: sharedIpc(request),
    }),
    annotations: { ...imageAnnotations(request.image), ...config.annotations },
    linux: {
      namespaces: namespaces(request.namespaces ?? {}),
      cgroupsPath: request.cgroupsPath,
      resources: resources(
        config,
        { isPrivileged, devices: devices.rules, find: request.findDevice ?? noDevice },
        resource,
      ),
      ...(devices.nodes.length > 0 ? { devices: devices.nodes } : {}),
      sysctl: sysctls(
        config.sysctls ?? {},
        { network: network === 'new', ipc: (request.namespaces?.ipc ?? 'new') === 'new' },
        resource,
      ),
      ...(isUnconfined ? {} : { seccomp: request.seccomp(capabilities, profileFile) }),
      ...(propagation ? { rootfsPropagation: propagation } : {}),
      ...(labels ? { mountLabel: labels.mount } : {}),
      maskedPaths: hasOpenPaths ? [] : maskedPaths,
      readonlyPaths: hasOpenPaths ? [] : readonlyPaths,
    },
  };
}

/** In the host's UTS namespace they would be the host's. */
const names = (hostname: string, domainname: string | undefined) => ({
  hostname,
  ...(domainname ? { domainname } : {}),
});

const noDevice: FindDevice = () => ({ major: 0, minor: 0 });

/** Whose /dev/shm is mounted, where not the container's own. */
function sharedIpc({ config, namespaces, peerShm }: SpecRequest): IpcMounts {
  if (config.ipc === 'none') return 'none';
  if (namespaces?.ipc === 'host') return { shm: '/dev/shm' };
  return peerShm === undefined ? 'own' : { shm: peerShm };
}

function namespaces(choices: Partial<Record<NamespaceType, NamespaceChoice>>) {
  const wanted: NamespaceType[] = ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'];
  return wanted.flatMap((type) => {
    const choice = choices[type] ?? 'new';
    if (choice === 'host') return [];
    return [choice === 'new' ? { type } : { type, path: choice.path }];
  });
}
