/** The mounts of a container: the kernel file systems every container has, its files below /etc, then the stack's own. */
import type { ResolvedMount } from '../../schemas/container.ts';
import type { IdMapping, Mount } from '../../schemas/oci-runtime.ts';
import type { Overlay } from './program/process.ts';

/** Bytes of /dev/shm where `shm_size` says nothing. */
export const defaultShmSize = 64 * 1024 * 1024;

/** /dev/shm: its own, none at all, or that of whose IPC namespace it shares, by its host path. */
export type IpcMounts = 'own' | 'none' | { shm: string };

export interface MountRequest {
  mounts: ResolvedMount[];
  /** Those of devices. */
  devices?: Mount[];
  ipc?: IpcMounts;
  /** Absolute directory of {@link imageViews}. */
  views?: string;
  /** Bytes of /dev/shm. */
  shmSize: number;
  isReadOnlyRoot: boolean;
  isPrivileged: boolean;
  /** Host paths of the files the engine writes for this container. */
  files: { hosts: string; hostname: string; resolvConf: string };
}

const kernelMounts = (shmSize: number): Mount[] => [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
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
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['ro', 'nosuid', 'noexec', 'nodev'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmSize}`],
  },
];

/** Mounts in the order they are made: a parent before what lies below it. */
export function containerMounts(request: MountRequest): Mount[] {
  const own = [
    ...(request.devices ?? []),
    ...request.mounts.map((mount) => toMount(mount, viewOf(request.mounts, mount, request.views))),
  ];
  const taken = new Set(own.map((mount) => mount.destination));
  const ownsDev = taken.has('/dev');
  const kernel = kernelMounts(request.shmSize)
    .filter((mount) => !taken.has(mount.destination) && !(ownsDev && mount.destination.startsWith('/dev/')))
    .map((mount) => (request.isPrivileged ? writable(mount) : mount))
    .flatMap((mount) => ipcMount(mount, request.ipc ?? 'own'));
  const access = request.isReadOnlyRoot ? ['ro'] : [];
  const etc = [
    ['/etc/resolv.conf', request.files.resolvConf],
    ['/etc/hostname', request.files.hostname],
    ['/etc/hosts', request.files.hosts],
  ]
    .filter(([destination]) => !taken.has(destination!))
    .map(([destination, source]) => ({
      destination: destination!,
      type: 'bind',
      source: source!,
      options: ['rbind', ...access, 'rprivate'],
    }));
  return [...kernel, ...parentsFirst([...own, ...etc])];
}

/** Message queues need nothing: whoever mounts them sees those of its IPC namespace. */
function ipcMount(mount: Mount, ipc: IpcMounts): Mount[] {
  if (ipc === 'own' || mount.destination !== '/dev/shm') return [mount];
  if (ipc === 'none') return [];
  const options = ['rbind', 'nosuid', 'noexec', 'nodev', 'rprivate'];
  return [{ destination: mount.destination, type: 'bind', source: ipc.shm, options }];
}

/** Stable order by depth, so that `/data` is mounted before `/data/cache`. */
export function parentsFirst<T extends { destination: string }>(mounts: T[]): T[] {
  const depth = (mount: T) => mount.destination.split('/').filter(Boolean).length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

/** What `linux.rootfsPropagation` must be for the propagation the mounts ask for (mount_namespaces(7)). */
export function rootPropagation(mounts: ResolvedMount[]): 'shared' | 'slave' | undefined {
  const asked = mounts.map((mount) => (mount.type === 'bind' ? (mount.propagation ?? '') : ''));
  if (asked.some((name) => name === 'shared' || name === 'rshared')) return 'shared';
  if (asked.some((name) => name === 'slave' || name === 'rslave')) return 'slave';
  return undefined;
}

type ImageMount = Extract<ResolvedMount, { type: 'image' }>;

/** Images that are mounted, each seen as one directory that only the container's mount namespace has. */
export const imageViews = (mounts: ResolvedMount[], views: string): Overlay[] =>
  mounts
    .filter((mount) => mount.type === 'image')
    // Without an upper directory an overlay has at least two below: the last is empty.
    .map((mount) => ({
      layers: [...mount.layers, `${views}/empty`],
      upper: '',
      work: '',
      target: viewOf(mounts, mount, views),
    }));

const viewOf = (mounts: ResolvedMount[], mount: ResolvedMount, views = '') =>
  `${views}/${mounts.filter((one) => one.type === 'image').indexOf(mount as ImageMount)}`;

/** @param view of an image. */
function toMount(mount: ResolvedMount, view: string): Mount {
  if (mount.type === 'image') {
    const source = mount.path === '' ? view : `${view}/${mount.path}`;
    return { destination: mount.target, type: 'bind', source, options: ['bind', 'rprivate', 'ro'] };
  }
  if (mount.type === 'tmpfs') {
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(mount) };
  }
  const isBind = mount.type === 'bind';
  const asked = isBind ? [] : (mount.options ?? []);
  const recursive = isBind ? mount.recursive : undefined;
  const depth = asked.includes('bind') ? [] : [recursive === 'disabled' ? 'bind' : 'rbind'];
  // Recursive: what is mounted below the source must not stay writable, unless it is asked for.
  const access = mount.readOnly ? [recursive === 'writable' ? 'ro' : 'rro'] : [];
  const owner = isBind ? mount.owner : undefined;
  return {
    destination: mount.target,
    type: 'bind',
    source: isBind || mount.subpath === undefined ? mount.source : `${mount.source}/${mount.subpath}`,
    options: [...depth, ...access, (isBind && mount.propagation) || 'rprivate', ...asked],
    ...(owner ? ownerMappings(owner) : {}),
  };
}

/** Binds of what lies beneath a volume's directory, by their destination. */
export const subpaths = (mounts: ResolvedMount[]): Record<string, { root: string; path: string }> =>
  Object.fromEntries(
    mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.subpath !== undefined
        ? [[mount.target, { root: mount.source, path: mount.subpath }]]
        : [],
    ),
  );

type Owner = NonNullable<Extract<ResolvedMount, { type: 'bind' }>['owner']>;

const ownerMappings = ({ uid, gid, as }: Owner) => ({
  uidMappings: ownerMap(uid, as.uid),
  gidMappings: ownerMap(gid, as.gid),
});

/** Every id; 4294967295 is none (user_namespaces(7)). */
const idCount = 0xffff_ffff;

/**
 * One id of the disk is another one in the container, and every other the same. The one that was there already stands for
 * none of the disk: what it makes would be the other's, which may be root.
 */
export function ownerMap(onDisk: number, inContainer: number): IdMapping[] {
  if (onDisk === inContainer) return [{ containerID: 0, hostID: 0, size: idCount }];
  const [low, high] = onDisk < inContainer ? [onDisk, inContainer] : [inContainer, onDisk];
  const same = (first: number, end: number) => ({ containerID: first, hostID: first, size: end - first });
  return [
    { containerID: onDisk, hostID: inContainer, size: 1 },
    same(0, low),
    same(low + 1, high),
    same(high + 1, idCount),
  ].filter(({ size }) => size > 0);
}

/** Docker's defaults, each given up where the opposite is asked for. */
export function tmpfsOptions(mount: Extract<ResolvedMount, { type: 'tmpfs' }>): string[] {
  const asked = [...(mount.options ?? [])];
  if (mount.size !== undefined) asked.push(`size=${mount.size}`);
  if (mount.mode !== undefined) asked.push(`mode=${mount.mode.toString(8)}`);
  if (mount.readOnly) asked.push('ro');
  const merged = new Map<string, string>();
  for (const option of ['noexec', 'nosuid', 'nodev', ...asked]) {
    const key = option === 'rw' ? 'ro' : option.replace(/=.*$/s, '').replace(/^no/, '');
    merged.delete(key);
    merged.set(key, option);
  }
  return [...merged.values()];
}

const writable = (mount: Mount): Mount =>
  mount.type === 'sysfs' || mount.type === 'cgroup'
    ? { ...mount, options: mount.options!.filter((option) => option !== 'ro') }
    : mount;
