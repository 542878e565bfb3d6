/** Devices of the host as a container gets them: `devices` with a path, and all of /dev where it is privileged. */
import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Device, DeviceRule } from '../../schemas/oci-runtime.ts';
import type { DeviceMapping } from '../../schemas/project.ts';
import { major, minor } from '../volumes/tree.ts';

export interface DeviceNodes {
  nodes: Device[];
  rules: DeviceRule[];
}

/** A device node by its path, links followed. @throws config.value where there is none. */
export function findDevice(path: string, resource: string): Device {
  const stat = statOf(path);
  const device = stat && deviceOf(path, stat);
  if (device) return device;
  throw new StackError('config.value', {
    message: `${resource}: ${path} ${stat ? 'is no device' : 'does not exist on this machine'}`,
    hint: 'Name a node of /dev; `ls -l /dev` shows them. A module that is not loaded has none yet (modprobe(8)).',
    resource,
  });
}

/** The node, or every node below a directory, as docker takes it. @throws config.value */
export function mappedDevices({ source, target, permissions }: DeviceMapping, resource: string): DeviceNodes {
  if (!/^[rwm]{1,3}$/.test(permissions) || !target.startsWith('/')) {
    throw new StackError('config.value', {
      message: `${resource}: "${source}:${target}:${permissions}" is not a device`,
      hint: 'Write /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:/dev/OTHER:rwm, with r, w and m for read, write and mknod.',
      resource,
    });
  }
  const found = statOf(source)?.isDirectory()
    ? below(source).map((device) => ({ ...device, path: join(target, device.path.slice(source.length)) }))
    : [{ ...findDevice(source, resource), path: target }];
  return { nodes: found, rules: found.map((device) => ruleOf(device, permissions)) };
}

/** Access to one device. */
export const ruleOf = ({ type, major, minor }: Device, access: string): DeviceRule => ({
  allow: true,
  type: type === 'b' ? 'b' : 'c',
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** Places of /dev that a container has its own of. */
const own = new Set(['pts', 'shm', 'mqueue', 'console', 'fd', 'ptmx', '.udev', '.lxc', '.lxd-mounts', 'dev-tty']);

/** Every node of the host's /dev, for a privileged container. */
export const allDevices = (): Device[] => below('/dev', own);

function below(directory: string, without = new Set<string>()): Device[] {
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch {
    return []; // it is gone by now
  }
  return names.flatMap((name): Device[] => {
    const path = join(directory, name);
    const stat = without.has(name) ? undefined : statOf(path, false);
    if (stat?.isDirectory()) return below(path);
    const device = stat && deviceOf(path, stat);
    return device ? [device] : [];
  });
}

function deviceOf(path: string, stat: Stats): Device | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  const { uid, gid, mode, rdev } = stat;
  const type = stat.isBlockDevice() ? 'b' : 'c';
  return { type, path, major: major(rdev), minor: minor(rdev), fileMode: mode & 0o777, uid, gid };
}

function statOf(path: string, follows = true): Stats | undefined {
  try {
    return follows ? statSync(path) : lstatSync(path);
  } catch {
    return undefined;
  }
}
