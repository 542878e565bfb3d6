/** Mounts of config.json as steps. Source: runtime-spec config.md "Mounts", mount(8), mount_setattr(2). */
import { StackError } from '../../../schemas/errors.ts';
import type { IdMapping, Mount } from '../../../schemas/oci-runtime.ts';
import type { Field, Step } from './encoder.ts';
import { type MountOptions, mountOptionsOf, propagation } from './mount-options.ts';

/** A controller hierarchy as a container sees it below /sys/fs/cgroup. */
export interface CgroupMount {
  /** Directory below /sys/fs/cgroup; '' is that one itself (unified). */
  directory: string;
  type: 'cgroup' | 'cgroup2';
  /** Mount data: `memory`, `none,name=systemd`; '' for cgroup2. */
  data: string;
  /** The container's own directory in it, as the host has it. */
  source: string;
}

/** What mounting depends on besides the mounts themselves. */
export interface MountSurroundings {
  cgroups: CgroupMount[];
  /** The container has a cgroup namespace: a hierarchy mounted in it begins at its own cgroup. */
  hasCgroupNamespace: boolean;
  /** SELinux label of what is mounted; '' for none. */
  label: string;
  /** Sources opened beforehand by {@link sourceSteps}, by the mount's place in config.json. */
  sources: Map<number, number>;
}

/** Where sources of binds are. */
export interface SourcePlaces {
  /** By the mount's destination: a path to follow from a directory at each start, never out of it. */
  beneath?: Record<string, { root: string; path: string }> | undefined;
  /** What the process mounts itself, before the binds. */
  views?: { target: string }[] | undefined;
}

const none = 0xffff_ffff;

/** `struct uid_gid_map` as /proc/<pid>/uid_map takes it: a line for each range. */
export const mapText = (mappings: IdMapping[] = []): string =>
  mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');

/** Whether a mount's owners are mapped, which needs the rights of the host. */
export const isMapped = (mount: Mount): boolean => mountOptionsOf(mount).idmap !== 'none';

/**
 * Opens the sources of bind mounts while the process still has the host's rights: all of them, or those whose owners are
 * mapped, or which lie beneath what others write to. @param own the container's maps, for a mount that says `idmap` and no maps.
 */
export function sourceSteps(
  mounts: Mount[],
  all: boolean,
  own: { uidMappings?: IdMapping[] | undefined; gidMappings?: IdMapping[] | undefined },
  { beneath = {}, views = [] }: SourcePlaces = {},
): { steps: Step[]; sources: Map<number, number> } {
  const steps: Step[] = [];
  const sources = new Map<number, number>();
  for (const [place, mount] of mounts.entries()) {
    const options = mountOptionsOf(mount);
    const maps = options.idmap !== 'none';
    const below = beneath[mount.destination];
    if (!options.isBind || options.isRemount || (!all && !maps && !below)) continue;
    // Not there yet.
    if (views.some(({ target }) => `${mount.source}/`.startsWith(`${target}/`))) continue;
    const uids = maps ? mapText(mount.uidMappings ?? own.uidMappings) : '';
    const gids = maps ? mapText(mount.gidMappings ?? own.gidMappings) : '';
    if (maps && (!uids || !gids)) throw invalid(mount, 'an idmap mount needs uidMappings and gidMappings');
    sources.set(place, sources.size);
    const depth = Number(options.isRecursive) | (options.idmap === 'deep' ? 2 : 0);
    const rest = [depth, uids, gids] as const;
    steps.push(below ? ['sourceBeneath', below.root, below.path, ...rest] : ['source', mount.source ?? '', ...rest]);
  }
  return { steps, sources };
}

/** The steps that make one mount, in order. @param place its index in config.json. */
export function mountSteps(mount: Mount, place: number, around: MountSurroundings): Step[] {
  const options = mountOptionsOf(mount);
  const target = mount.destination;
  if (options.isRemount) {
    const { data } = options;
    const ownData = options.isBind ? [] : data;
    return [
      ...(ownData.length > 0 ? [['reconfigure', target, ownData] satisfies Step] : []),
      ['attributes', target, ...wanted(options)],
    ];
  }
  if (options.isBind) return bindSteps(mount, place, options, around);
  if (mount.type === 'cgroup' || mount.type === 'cgroup2') return cgroupSteps(target, options, around);
  return [fileSystemStep(mount, options, around.label)];
}

function bindSteps(mount: Mount, place: number, options: MountOptions, { sources }: MountSurroundings): Step[] {
  if (!mount.source) throw invalid(mount, 'a bind mount needs a source');
  const spread = { ...options, propagation: options.propagation ?? propagation.rprivate };
  const depth = Number(options.isRecursive);
  return [['bind', mount.source, mount.destination, sources.get(place) ?? none, depth, ...wanted(spread)]];
}

/** Of these the super block is one for many mounts: `ro` concerns the mount alone. */
const shared = new Set(['proc', 'sysfs', 'mqueue', 'devpts', 'tmpfs', 'cgroup', 'cgroup2', 'ramfs', 'securityfs']);
/** Of these no label is mounted. */
const unlabelled = new Set(['proc', 'sysfs', 'mqueue']);

function fileSystemStep(mount: Mount, options: MountOptions, label: string): Step {
  const type = mount.type ?? '';
  const data = [...options.data];
  if (options.set & 1 && !shared.has(type)) data.push('ro');
  if (label && !unlabelled.has(type)) data.push(`context="${label}"`);
  // A symlink of the image must not lead these elsewhere (CVE-2019-16884 and its kind).
  const isKernel = type === 'proc' || type === 'sysfs';
  const flags = Number(isKernel) | (options.copiesUp && type === 'tmpfs' ? 2 : 0);
  return ['mount', mount.source ?? type, mount.destination, type, data, ...wanted(options), flags];
}

/** MOUNT_ATTR_* and propagation, as every step that mounts ends. */
const wanted = (options: Pick<MountOptions, 'set' | 'clear' | 'deepSet' | 'deepClear' | 'propagation'>): Field[] => [
  { u64: options.set },
  { u64: options.clear },
  { u64: options.deepSet },
  { u64: options.deepClear },
  { u64: options.propagation ?? 0 },
];

const plain = { set: 0, clear: 0, deepSet: 0, deepClear: 0, propagation: undefined };

/** /sys/fs/cgroup as the container's cgroup namespace shows it, or its own directory of each hierarchy. */
function cgroupSteps(target: string, options: MountOptions, around: MountSurroundings): Step[] {
  const own = { ...plain, set: options.set, propagation: options.propagation };
  const one = (cgroup: CgroupMount, at: string): Step =>
    around.hasCgroupNamespace
      ? ['mount', 'cgroup', at, cgroup.type, cgroup.data.split(',').filter(Boolean), ...wanted(own), 1]
      : ['bind', cgroup.source, at, none, 1, ...wanted({ ...own, propagation: propagation.rprivate })];
  const [unified] = around.cgroups.filter(({ directory }) => directory === '');
  if (unified) return [one(unified, target)];
  const steps: Step[] = [
    ['mount', 'tmpfs', target, 'tmpfs', ['mode=755'], ...wanted({ ...own, set: options.set & ~1 }), 1],
  ];
  for (const cgroup of around.cgroups) {
    steps.push(one(cgroup, `${target}/${cgroup.directory}`));
    const controllers = cgroup.directory.split(',');
    if (controllers.length < 2) continue;
    for (const name of controllers) steps.push(['symlink', cgroup.directory, `${target}/${name}`]);
  }
  if (options.set & 1) steps.push(['attributes', target, ...wanted({ ...plain, set: 1 })]);
  return steps;
}

function invalid(mount: Mount, why: string): StackError {
  return new StackError('config.value', {
    message: `Invalid mount at ${mount.destination}: ${why}.`,
    hint: 'Correct the mounts of config.json.',
    resource: `mounts ${mount.destination}`,
  });
}
