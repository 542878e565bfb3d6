/** The container's root file system as steps: the root itself, mounts, devices, sysctls, covered paths. */
import type { Linux, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { defaultDeviceLinks, defaultDevices } from '../devices.ts';
import type { Step } from './encoder.ts';
import { propagation } from './mount-options.ts';
import { type MountSurroundings, mountSteps } from './mounts.ts';

/** An overlay that the process mounts in its own mount namespace. */
export interface Overlay {
  /** Absolute directories, uppermost first. */
  layers: string[];
  upper: string;
  work: string;
  /** An empty directory it is mounted on. */
  target: string;
  /** Nothing reaches the disk with its end: who keeps `upper` syncs it. Source: kernel overlayfs.rst "Volatile mount". */
  isVolatile?: boolean;
}

export const overlayStep = ({ layers, upper, work, target, isVolatile }: Overlay): Step => [
  'overlay',
  layers,
  upper,
  work,
  target,
  isVolatile ? 'volatile' : '',
];

/** What the root is: an overlay, or a directory of a bundle. */
export type RootFilesystem =
  | Overlay
  | {
      directory: string;
      /** Where the mount that holds it is: private before the root is bound, where propagation is asked for. */
      holder: string;
    };

/** Up to the change of root, which is {@link changeRootSteps}. */
export function rootSteps(spec: RuntimeSpec, root: RootFilesystem, around: MountSurroundings): Step[] {
  const linux = spec.linux ?? {};
  const isOwn = hasMountNamespace(spec);
  // What this namespace mounts must not reach the host, but where `shared` asks for it.
  const steps: Step[] = isOwn ? [['propagation', '/', { u64: spreadOf(linux) ?? propagation.rslave! }]] : [];
  if ('directory' in root) {
    if (isOwn && linux.rootfsPropagation) steps.push(['propagation', root.holder, { u64: propagation.private! }]);
    steps.push(['bindRoot', root.directory]);
  } else {
    steps.push(overlayStep(root));
  }
  for (const [place, mount] of (spec.mounts ?? []).entries()) steps.push(...mountSteps(mount, place, around));
  if (!bringsDevices(spec)) steps.push(...deviceSteps(linux));
  for (const [key, value] of Object.entries(linux.sysctl ?? {})) {
    steps.push(['sysctl', `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`, value]);
  }
  for (const path of linux.readonlyPaths ?? []) steps.push(['readonlyPath', path]);
  for (const path of linux.maskedPaths ?? []) steps.push(['mask', path]);
  return steps;
}

/** @param mayPivot false on the initial ramfs, where pivot_root(2) cannot be had. */
export function changeRootSteps(spec: RuntimeSpec, mayPivot: boolean): Step[] {
  const isOwn = hasMountNamespace(spec);
  const spread = isOwn ? spreadOf(spec.linux ?? {}) : undefined;
  return [
    [isOwn ? (mayPivot ? 'pivot' : 'moveRoot') : 'chroot'],
    ...(spread === undefined ? [] : [['propagation', '/', { u64: spread }] satisfies Step]),
  ];
}

/** Without one, the root is bound and mounted into where all others see it, and unmounted when the container goes. */
export const hasMountNamespace = ({ linux }: RuntimeSpec): boolean =>
  linux?.namespaces?.some(({ type }) => type === 'mount') ?? false;

/** runtime-spec names the four without their recursive forms; runc takes those as well. */
function spreadOf({ rootfsPropagation }: Linux): number | undefined {
  return rootfsPropagation === undefined || (rootfsPropagation as string) === ''
    ? undefined
    : propagation[rootfsPropagation];
}

/** A /dev that is bound from elsewhere holds what it holds: nothing is made in it. */
function bringsDevices({ mounts = [] }: RuntimeSpec): boolean {
  return mounts.some(
    ({ destination, type, options = [] }) =>
      destination.replace(/\/+$/, '') === '/dev' &&
      (type === 'bind' || options.includes('bind') || options.includes('rbind')),
  );
}

function deviceSteps({ devices = [] }: Linux): Step[] {
  // mknod(2) of a name that ends in a slash fails.
  const asked = devices.map((device) => ({ ...device, path: device.path.replace(/(.)\/+$/, '$1') }));
  const named = new Set(asked.map(({ path }) => path));
  const all = [...defaultDevices.filter(({ path }) => !named.has(path)), ...asked];
  const kinds = { b: 0o060000, p: 0o010000, c: 0o020000, u: 0o020000 };
  const steps: Step[] = all.map(({ path, type, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 }) => {
    return ['mknod', path, kinds[type] | (fileMode & 0o7777), major, minor, uid, gid];
  });
  for (const [path, target] of defaultDeviceLinks) steps.push(['symlink', target, path]);
  return steps;
}
