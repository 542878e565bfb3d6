/** What `features` prints: the words of a config.json that Stack knows. Source: runtime-spec features.md, features-linux.md. */
import { capabilityNames } from '../capabilities.ts';
import { actions, architectureNames, flagNames, operators, supportedFlags } from '../seccomp/names.ts';
import { newestVersion, oldestVersion } from './check/version.ts';

export interface FeatureFacts {
  /** Every option of `mounts[].options` that is not data for the file system. */
  mountOptions: readonly string[];
  /** Stack's own version. */
  version: string;
  /** Prefixes (ending in a dot) and names of annotations that change what Stack does. */
  unsafeAnnotations?: readonly string[];
}

/** The document, in the order runc prints it. It tells of Stack, not of this machine; `supportedFlags` alone does. */
export function features({ mountOptions, version, unsafeAnnotations = [] }: FeatureFacts): object {
  return {
    ociVersionMin: oldestVersion,
    ociVersionMax: newestVersion,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: [...new Set(mountOptions)].sort(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'],
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        actions: Object.keys(actions).sort(),
        operators: [...operators].sort(),
        archs: [...architectureNames].sort(),
        knownFlags: flagNames,
        supportedFlags: supportedFlags(),
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: [
          ...['MPOL_DEFAULT', 'MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED'],
          ...['MPOL_PREFERRED_MANY', 'MPOL_LOCAL'],
        ],
        flags: ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'],
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: { 'dev.stack.version': version },
    potentiallyUnsafeConfigAnnotations: [...unsafeAnnotations],
  };
}
