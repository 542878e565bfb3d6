/** A canonical service and an image become the OCI config.json of one container, with docker's semantics. Pure. */
import type { ResolvedMount } from '../../schemas/container.ts';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import type { NamespaceType, RuntimeSpec, Seccomp } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import type { SecurityModules } from '../security/security.ts';
import { capabilitySets, containerCapabilities } from './capabilities.ts';
import { containerMounts, defaultShmSize, rootPropagation } from './mounts.ts';
import { imageAnnotations } from './spec-annotations.ts';
import { commandLine, environment, rlimits, workingDirectory } from './spec-process.ts';
import { bytes, resources, sysctls } from './spec-resources.ts';
import { securityOptions } from './spec-security.ts';
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
  /** `root.path`: the root file system, relative to the bundle or absolute. */
  rootPath: string;
  /** Host paths of the files written for this container, or for the one whose network it shares. */
  files: { hosts: string; hostname: string; resolvConf: string };
  /** Namespaces that are not new ones; `network` for network_mode host, service: and container:. */
  namespaces?: Partial<Record<NamespaceType, NamespaceChoice>>;
  /** The host's name: what a container in the host's network is called. */
  hostHostname: string;
  /** Absolute path of the cgroup below the top of each hierarchy (see engine/runtime/cgroup). */
  cgroupsPath: string;
  /** Capabilities this process may hand on; every capability where absent. */
  availableCapabilities?: string[];
  /** The filter for the given capabilities (engine/runtime/seccomp); asked only where the service is not unconfined. */
  seccomp(capabilities: string[]): Seccomp;
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

/** Hostname as `hostname` sets it, the host's in its network, or the short id. */
export function containerHostname(request: Pick<SpecRequest, 'config' | 'id' | 'namespaces' | 'hostHostname'>): string {
  if (request.config.hostname) return request.config.hostname;
  return request.namespaces?.network === 'host' ? request.hostHostname : request.id.slice(0, 12);
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
  const isUnconfined = isPrivileged || security.seccomp === 'unconfined';
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
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: commandLine(config, request.image.config ?? {}, resource),
      env: environment({
        image: request.image.config?.Env ?? [],
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
    hostname,
    ...(config.domainname ? { domainname: config.domainname } : {}),
    mounts: containerMounts({
      mounts: request.mounts,
      shmSize: config.shm_size === undefined ? defaultShmSize : bytes(config.shm_size, `${resource}.shm_size`),
      isReadOnlyRoot: config.read_only === true,
      isPrivileged,
      files: request.files,
    }),
    annotations: { ...imageAnnotations(request.image), ...config.annotations },
    linux: {
      namespaces: namespaces(request.namespaces ?? {}),
      cgroupsPath: request.cgroupsPath,
      resources: resources(config, isPrivileged, resource),
      sysctl: sysctls(config.sysctls ?? {}, network === 'new', resource),
      ...(isUnconfined ? {} : { seccomp: request.seccomp(capabilities) }),
      ...(propagation ? { rootfsPropagation: propagation } : {}),
      ...(labels ? { mountLabel: labels.mount } : {}),
      maskedPaths: hasOpenPaths ? [] : maskedPaths,
      readonlyPaths: hasOpenPaths ? [] : readonlyPaths,
    },
  };
}

function namespaces(choices: Partial<Record<NamespaceType, NamespaceChoice>>) {
  const wanted: NamespaceType[] = ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'];
  return wanted.flatMap((type) => {
    const choice = choices[type] ?? 'new';
    if (choice === 'host') return [];
    return [choice === 'new' ? { type } : { type, path: choice.path }];
  });
}
