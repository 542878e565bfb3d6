/** Options of a mount in config.json, sorted by who is told. Source: runtime-spec config.md "Mounts", mount_setattr(2), fsconfig(2). */
import type { Mount } from '../../../schemas/oci-runtime.ts';

/** MOUNT_ATTR_* of linux/mount.h. The three of the access time are values of one field. */
const RDONLY = 0x1;
const NOSUID = 0x2;
const NODEV = 0x4;
const NOEXEC = 0x8;
const NOATIME = 0x10;
const STRICTATIME = 0x20;
const NODIRATIME = 0x80;
const NOSYMFOLLOW = 0x200000;
export const accessTimes = 0x70;

/** What an option sets and clears of a mount's attributes. */
const attributes: Record<string, [set: number, clear: number]> = {
  ro: [RDONLY, 0],
  rw: [0, RDONLY],
  nosuid: [NOSUID, 0],
  suid: [0, NOSUID],
  nodev: [NODEV, 0],
  dev: [0, NODEV],
  noexec: [NOEXEC, 0],
  exec: [0, NOEXEC],
  nosymfollow: [NOSYMFOLLOW, 0],
  symfollow: [0, NOSYMFOLLOW],
  nodiratime: [NODIRATIME, 0],
  diratime: [0, NODIRATIME],
  noatime: [NOATIME, accessTimes],
  atime: [0, accessTimes],
  relatime: [0, accessTimes],
  norelatime: [0, accessTimes],
  strictatime: [STRICTATIME, accessTimes],
  nostrictatime: [0, accessTimes],
};

/** What fsconfig(2) is told about the super block; '' for what is every file system's default. */
const superBlock: Record<string, string> = {
  sync: 'sync',
  async: '',
  dirsync: 'dirsync',
  lazytime: 'lazytime',
  nolazytime: '',
  mand: 'mand',
  nomand: '',
  iversion: 'iversion',
  noiversion: '',
  acl: 'posixacl',
  noacl: '',
  silent: '',
  loud: '',
  defaults: '',
};

/** MS_* of mount(2). */
export const recursive = 1 << 14;
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

const others = ['bind', 'rbind', 'remount', 'idmap', 'ridmap', 'tmpcopyup'];

/** Every option that is not a file system's own: what `features` reports. */
export const mountOptions: string[] = [
  ...Object.keys(attributes),
  ...Object.keys(attributes).map((name) => `r${name}`),
  ...Object.keys(superBlock),
  ...Object.keys(propagation),
  ...others,
].sort();

export interface MountOptions {
  /** MOUNT_ATTR_* of this mount. */
  set: number;
  clear: number;
  /** The same for this mount and every one below it. */
  deepSet: number;
  deepClear: number;
  /** `key` and `key=value`, for the file system. */
  data: string[];
  /** MS_* bits; undefined where nothing is said. */
  propagation: number | undefined;
  isBind: boolean;
  isRecursive: boolean;
  isRemount: boolean;
  /** Contents of the directory below are copied into the new tmpfs. */
  copiesUp: boolean;
  /** Owners are mapped: of this mount, or of every one below it, too. */
  idmap: 'none' | 'flat' | 'deep';
}

/** In the order given: a later option wins over an earlier one. */
export function mountOptionsOf(mount: Mount): MountOptions {
  const out: MountOptions = {
    set: 0,
    clear: 0,
    deepSet: 0,
    deepClear: 0,
    data: [],
    propagation: undefined,
    isBind: mount.type === 'bind',
    isRecursive: false,
    isRemount: false,
    copiesUp: false,
    idmap: mount.uidMappings?.length || mount.gidMappings?.length ? 'flat' : 'none',
  };
  for (const option of mount.options ?? []) {
    const own = attributes[option];
    const deep = option.startsWith('r') ? attributes[option.slice(1)] : undefined;
    if (own) [out.set, out.clear] = changed(out.set, out.clear, own);
    else if (deep) [out.deepSet, out.deepClear] = changed(out.deepSet, out.deepClear, deep);
    else if (propagation[option] !== undefined) out.propagation = propagation[option];
    else if (superBlock[option] !== undefined) out.data.push(...[superBlock[option]].filter(Boolean));
    else if (option === 'bind' || option === 'rbind') {
      out.isBind = true;
      out.isRecursive = option === 'rbind';
    } else if (option === 'remount') out.isRemount = true;
    else if (option === 'tmpcopyup') out.copiesUp = true;
    else if (option === 'idmap' || option === 'ridmap') out.idmap = option === 'idmap' ? 'flat' : 'deep';
    else if (option !== '') out.data.push(option);
  }
  return out;
}

const changed = (set: number, clear: number, [sets, clears]: [number, number]): [number, number] => [
  (set & ~clears) | sets,
  (clear & ~(clears === accessTimes ? 0 : sets)) | clears,
];
