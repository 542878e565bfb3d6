/** The config.json that `spec` writes to start from: field for field what runc's does, as people's scripts edit that. */
import { statSync } from 'node:fs';
import type { Mount, Namespace, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { newestVersion } from './check/version.ts';

export interface TemplateHost {
  /** Who a rootless container's root is on the host. */
  uid: number;
  gid: number;
  /** cgroup v2 alone, without the v1 hierarchies. */
  isUnified: boolean;
}

/** @param isRootless for a caller without root rights: a user namespace, no network namespace, no limits. */
export function specTemplate(isRootless: boolean, host: TemplateHost = thisHost()): RuntimeSpec {
  return {
    ociVersion: newestVersion,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: [...capabilities],
        effective: [...capabilities],
        permitted: [...capabilities],
        ambient: [...capabilities],
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'runc',
    mounts: mounts(isRootless),
    linux: {
      ...(isRootless
        ? {
            uidMappings: [{ containerID: 0, hostID: host.uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: host.gid, size: 1 }],
          }
        : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: namespaces(isRootless, host.isUnified),
      maskedPaths: [
        ...['/proc/acpi', '/proc/asound', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list'],
        ...['/proc/timer_stats', '/proc/sched_debug', '/sys/firmware', '/proc/scsi'],
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];

function mounts(isRootless: boolean): Mount[] {
  const shut = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      // Group 5 (tty) is not mapped where only one id is.
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(isRootless ? [] : ['gid=5'])],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...shut, 'mode=1777', 'size=65536k'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: [...shut] },
    // A new sysfs needs a network namespace of the same user namespace.
    isRootless
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...shut, 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...shut, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...shut, 'relatime', 'ro'] },
  ];
}

function namespaces(isRootless: boolean, isUnified: boolean): Namespace[] {
  return [
    { type: 'pid' },
    ...(isRootless ? [] : [{ type: 'network' } satisfies Namespace]),
    { type: 'ipc' },
    { type: 'uts' },
    { type: 'mount' },
    ...(isUnified ? [{ type: 'cgroup' } satisfies Namespace] : []),
    ...(isRootless ? [{ type: 'user' } satisfies Namespace] : []),
  ];
}

function thisHost(): TemplateHost {
  return {
    uid: process.geteuid!(),
    gid: process.getegid!(),
    // Only the unified hierarchy has this file at the top.
    isUnified: statSync('/sys/fs/cgroup/cgroup.controllers', { throwIfNoEntry: false }) !== undefined,
  };
}
