/** Devices of a container: the nodes a runtime must make and the list the devices cgroup is given. */
import type { Device, DeviceRule } from '../../schemas/oci-runtime.ts';

const node = (path: string, major: number, minor: number): Device => ({
  type: 'c',
  path,
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

/** Nodes every container gets (runtime-spec config-linux.md, "Default Devices"); console and ptmx are made otherwise. */
export const defaultDevices: Device[] = [
  node('/dev/null', 1, 3),
  node('/dev/zero', 1, 5),
  node('/dev/full', 1, 7),
  node('/dev/random', 1, 8),
  node('/dev/urandom', 1, 9),
  node('/dev/tty', 5, 0),
];

/** Links every container gets in /dev (runtime-spec runtime-linux.md and config-linux.md), as [path, target]. */
export const defaultDeviceLinks: [path: string, target: string][] = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
  ['/dev/core', '/proc/kcore'],
];

const rule = (major: number | undefined, minor: number | undefined, access: string, type: 'b' | 'c' = 'c') => ({
  allow: true,
  type,
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** What docker writes into config.json: nothing but zero, null, urandom, random, tty and console. */
export const dockerDeviceRules: DeviceRule[] = [
  { allow: false, access: 'rwm' },
  rule(1, 5, 'rwm'),
  rule(1, 3, 'rwm'),
  rule(1, 9, 'rwm'),
  rule(1, 8, 'rwm'),
  rule(5, 0, 'rwm'),
  rule(5, 1, 'rwm'),
  { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
];

/** What a runtime allows besides, for the container to work at all: any mknod, the default devices, pts and ptmx. */
export const runtimeDeviceRules: DeviceRule[] = [
  rule(undefined, undefined, 'm'),
  rule(undefined, undefined, 'm', 'b'),
  ...defaultDevices.map(({ major, minor }) => rule(major, minor, 'rwm')),
  rule(5, 2, 'rwm'),
  rule(136, undefined, 'rwm'),
];

/** A rule in the form the v1 files devices.allow and devices.deny read (cgroup-v1/devices): `c 1:3 rwm`. */
export function deviceRuleLine(rule: DeviceRule): string {
  const type = rule.type ?? 'a';
  if (type === 'a') return 'a';
  return `${type} ${number(rule.major)}:${number(rule.minor)} ${rule.access ?? 'rwm'}`;
}

/** runtime-spec: absent or -1 stands for every number. */
const number = (value: number | undefined) => (value === undefined || value < 0 ? '*' : String(value));
