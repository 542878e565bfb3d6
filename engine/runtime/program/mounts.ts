/** Mounts of config.json as steps. Source: runtime-spec config.md "Mounts", mount(8), mount_setattr(2). */
import { StackError } from '../../../schemas/errors.ts';
import type { Mount } from '../../../schemas/oci-runtime.ts';
import type { Step } from './encoder.ts';

/** MS_* of mount(2), as [flag, set or clear]. */
const flags: Record<string, [bit: number, isSet: boolean]> = {
  ro: [1, true],
  rw: [1, false],
  nosuid: [2, true],
  suid: [2, false],
  nodev: [4, true],
  dev: [4, false],
  noexec: [8, true],
  exec: [8, false],
  sync: [16, true],
  async: [16, false],
  dirsync: [128, true],
  nosymfollow: [256, true],
  symfollow: [256, false],
  noatime: [1024, true],
  atime: [1024, false],
  nodiratime: [2048, true],
  diratime: [2048, false],
  relatime: [1 << 21, true],
  norelatime: [1 << 21, false],
  strictatime: [1 << 24, true],
  nostrictatime: [1 << 24, false],
};

/** MOUNT_ATTR_* of mount_setattr(2) for the MS_* above that a bind mount can have. */
const attributes = new Map([
  [1, 0x1],
  [2, 0x2],
  [4, 0x4],
  [8, 0x8],
  [256, 0x200000],
  [1024, 0x10],
  [2048, 0x80],
]);
const attributeTimes = 0x70;

const recursive = 1 << 14;
export const propagation: Record<string, number> = {
  private: 1 << 18,
  rprivate: (1 << 18) | recursive,
  slave: 1 << 19,
  rslave: (1 << 19) | recursive,
  shared: 1 << 20,
  rshared: (1 << 20) | recursive,
  unbindable: 1 << 17,
  runbindable: (1 << 17) | recursive,
};

/** A controller hierarchy as a container sees it below /sys/fs/cgroup. */
export interface CgroupMount {
  /** Directory below /sys/fs/cgroup; '' is that one itself (unified). */
  directory: string;
  type: 'cgroup' | 'cgroup2';
  /** Mount data: `memory`, `none,name=systemd`; '' for cgroup2. */
  data: string;
}

interface Options {
  bits: number;
  set: number;
  clear: number;
  data: string[];
  propagation: number | undefined;
  isBind: boolean;
  isRecursive: boolean;
  /** The attributes are set on every mount below, too (`rro`). */
  isDeep: boolean;
}

function parse(mount: Mount): Options {
  const out: Options = {
    bits: 0,
    set: 0,
    clear: 0,
    data: [],
    propagation: undefined,
    isBind: false,
    isRecursive: false,
    isDeep: false,
  };
  for (const option of mount.options ?? []) {
    const flag = flags[option];
    if (flag) {
      const [bit, isSet] = flag;
      out.bits = isSet ? out.bits | bit : out.bits & ~bit;
      const attribute = attributes.get(bit);
      if (attribute !== undefined && isSet) {
        out.set |= attribute;
        if (attribute === 0x10) out.clear |= attributeTimes;
      }
    } else if (option === 'rro') {
      out.set |= 1;
      out.isDeep = true;
    } else if (option === 'bind' || option === 'rbind') {
      out.isBind = true;
      out.isRecursive = option === 'rbind';
    } else if (propagation[option] !== undefined) out.propagation = propagation[option];
    else if (option !== 'defaults') out.data.push(option);
  }
  out.isBind ||= mount.type === 'bind';
  return out;
}

/** The steps that make one mount, in order. */
export function mountSteps(mount: Mount, cgroups: CgroupMount[]): Step[] {
  const options = parse(mount);
  const target = mount.destination;
  if (options.isBind) {
    const { set, clear } = options;
    if (!mount.source) throw invalid(mount, 'a bind mount needs a source');
    const spread = options.propagation ?? propagation.rprivate!;
    return [
      [
        'bind',
        mount.source,
        target,
        Number(options.isRecursive) | (options.isDeep ? 2 : 0),
        { u64: set },
        { u64: clear },
        { u64: spread & ~recursive },
      ],
    ];
  }
  if (mount.type === 'cgroup') return cgroupSteps(target, options.bits, cgroups);
  // A symlink of the image must not lead these elsewhere (CVE-2019-16884 and its kind).
  const isKernel = mount.type === 'proc' || mount.type === 'sysfs';
  const source = mount.source ?? mount.type ?? 'none';
  return [['mount', source, target, mount.type ?? '', { u64: options.bits }, options.data.join(','), Number(isKernel)]];
}

const remount = 32;
const bind = 4096;

/** /sys/fs/cgroup as the container's cgroup namespace shows it. */
function cgroupSteps(target: string, bits: number, cgroups: CgroupMount[]): Step[] {
  const [unified] = cgroups.filter(({ directory }) => directory === '');
  if (unified) return [['mount', 'cgroup', target, 'cgroup2', { u64: bits }, '', 1]];
  const inner = bits & ~1;
  const steps: Step[] = [['mount', 'tmpfs', target, 'tmpfs', { u64: inner }, 'mode=755', 1]];
  for (const { directory, type, data } of cgroups) {
    steps.push(['mount', 'cgroup', `${target}/${directory}`, type, { u64: bits }, data, 1]);
    const controllers = directory.split(',');
    if (controllers.length < 2) continue;
    for (const name of controllers) steps.push(['symlink', directory, `${target}/${name}`]);
  }
  if (bits & 1) steps.push(['mount', '', target, '', { u64: bits | remount | bind }, '', 1]);
  return steps;
}

function invalid(mount: Mount, why: string): StackError {
  return new StackError('config.value', {
    message: `Invalid mount at ${mount.destination}: ${why}.`,
    hint: 'Correct the mounts of config.json.',
    resource: `mounts ${mount.destination}`,
  });
}
