import { expect, test } from 'vitest';
import type { Mount } from '../../../schemas/oci-runtime.ts';
import type { Hierarchies } from '../cgroup/cgroup.ts';
import { cgroupMounts } from './cgroup-mounts.ts';
import { mountOptions, mountOptionsOf } from './mount-options.ts';
import { isMapped, type MountSurroundings, mountSteps, sourceSteps } from './mounts.ts';

const around = (over: Partial<MountSurroundings> = {}): MountSurroundings => ({
  cgroups: [],
  hasCgroupNamespace: true,
  label: '',
  sources: new Map(),
  ...over,
});

const u64 = (...values: number[]) => values.map((value) => ({ u64: value }));
const none = 0xffff_ffff;
const nothing = u64(0, 0, 0, 0, 0);

const bound = (options: string[]): Mount => ({ destination: '/b', source: '/a', type: 'bind', options });

test.each([
  [['rbind', 'ro', 'rprivate'], 1, u64(1, 0, 0, 0, (1 << 18) | (1 << 14))],
  [['bind', 'nosuid', 'noatime', 'rslave'], 0, u64(0x12, 0x70, 0, 0, (1 << 19) | (1 << 14))],
  [['bind', 'rro', 'rnosuid'], 0, u64(0, 0, 3, 0, (1 << 18) | (1 << 14))],
  [['bind', 'rw'], 0, u64(0, 1, 0, 0, (1 << 18) | (1 << 14))],
])('bind with %j', (options, depth, wanted) => {
  expect(mountSteps(bound(options), 3, around())).toEqual([['bind', '/a', '/b', none, depth, ...wanted]]);
});

test('a source opened beforehand is named by its index', () => {
  const step = mountSteps(bound(['bind']), 3, around({ sources: new Map([[3, 1]]) }))[0]!;
  expect(step.slice(0, 5)).toEqual(['bind', '/a', '/b', 1, 0]);
});

test('attributes and data of a file system are told apart, and its data reaches it unchanged', () => {
  const options = ['nosuid', 'strictatime', 'mode=755', 'size=64k', 'sync', 'async', ''];
  expect(mountSteps({ destination: '/dev', source: 'tmpfs', type: 'tmpfs', options }, 0, around())).toEqual([
    ['mount', 'tmpfs', '/dev', 'tmpfs', ['mode=755', 'size=64k', 'sync'], ...u64(0x22, 0x70, 0, 0, 0), 0],
  ]);
});

test('ro is told to a super block of the mount’s own, and to the mount alone of one that is shared', () => {
  const data = (type: string) => mountSteps({ destination: '/m', type, options: ['ro'] }, 0, around())[0]![4];
  expect([data('ext4'), data('tmpfs'), data('proc')]).toEqual([['ro'], [], []]);
});

test('tmpcopyup copies into a tmpfs, and into nothing else', () => {
  const flags = (type: string) =>
    mountSteps({ destination: '/m', type, options: ['tmpcopyup'] }, 0, around())[0]!.at(-1);
  expect([flags('tmpfs'), flags('ext4')]).toEqual([2, 0]);
});

test('proc and sys are never mounted through a symlink', () => {
  for (const type of ['proc', 'sysfs']) {
    const [step] = mountSteps({ destination: `/${type}`, source: type, type, options: [] }, 0, around());
    expect(step?.at(-1)).toBe(1);
  }
});

test('a label goes to what can carry one', () => {
  const data = (type: string) => mountSteps({ destination: '/m', type }, 0, around({ label: 'a:b,c' }))[0]![4];
  expect([data('tmpfs'), data('proc'), data('sysfs'), data('mqueue')]).toEqual([['context="a:b,c"'], [], [], []]);
});

test('remount changes what is there: the attributes of a bind, the data of a file system as well', () => {
  expect(mountSteps(bound(['remount', 'bind', 'ro', 'size=1']), 0, around())).toEqual([
    ['attributes', '/b', ...u64(1, 0, 0, 0, 0)],
  ]);
  const tmpfs = { destination: '/t', type: 'tmpfs', options: ['remount', 'size=1', 'noexec', 'shared'] };
  expect(mountSteps(tmpfs, 0, around())).toEqual([
    ['reconfigure', '/t', ['size=1']],
    ['attributes', '/t', ...u64(8, 0, 0, 0, 1 << 20)],
  ]);
});

test('a bind mount without a source is refused', () => {
  const mount = { destination: '/b', options: ['bind'] };
  expect(() => mountSteps(mount, 0, around())).toThrow(expect.objectContaining({ code: 'config.value' }));
});

const ids = [{ containerID: 0, hostID: 1000, size: 10 }];

test('sources are opened beforehand where their owners are mapped, or all of them', () => {
  const mounts: Mount[] = [
    bound(['bind']),
    { destination: '/t', type: 'tmpfs' },
    { ...bound(['rbind']), uidMappings: ids, gidMappings: ids },
    { ...bound(['rbind', 'ridmap']), uidMappings: ids, gidMappings: ids },
    bound(['bind', 'remount', 'ro']),
  ];
  const map = '0 1000 10\n';
  const mapped = sourceSteps(mounts, false, {});
  expect(mapped.steps).toEqual([
    ['source', '/a', 1, map, map],
    ['source', '/a', 3, map, map],
  ]);
  expect([...mapped.sources]).toEqual([
    [2, 0],
    [3, 1],
  ]);
  expect([...sourceSteps(mounts, true, {}).sources.keys()]).toEqual([0, 2, 3]);
  expect(sourceSteps(mounts, true, {}).steps[0]).toEqual(['source', '/a', 0, '', '']);
});

test('what lies beneath a directory others write to is opened beforehand, what this process mounts itself is not', () => {
  const mounts = [
    { ...bound(['rbind']), destination: '/sub' },
    { ...bound(['rbind']), source: '/views/0/etc' },
  ];
  const places = { beneath: { '/sub': { root: '/a', path: 'x/y' } }, views: [{ target: '/views/0' }] };
  expect(sourceSteps(mounts, true, {}, places)).toEqual({
    steps: [['sourceBeneath', '/a', 'x/y', 1, '', '']],
    sources: new Map([[0, 0]]),
  });
  expect([...sourceSteps(mounts, false, {}, places).sources.keys()]).toEqual([0]);
});

test('idmap without maps takes the container’s own; without those it is refused', () => {
  const mount = bound(['bind', 'idmap']);
  expect(isMapped(mount)).toBe(true);
  expect(isMapped(bound(['bind']))).toBe(false);
  const own = { uidMappings: ids, gidMappings: [{ containerID: 1, hostID: 2, size: 3 }] };
  expect(sourceSteps([mount], false, own).steps).toEqual([['source', '/a', 0, '0 1000 10\n', '1 2 3\n']]);
  expect(() => sourceSteps([mount], false, {})).toThrow('uidMappings');
});

/** mount_setattr(2), mount(2): option, what is set and cleared, for this mount and (r…) for those below it. */
const attributes: [string, set: number, clear: number][] = [
  ['ro', 0x1, 0],
  ['rw', 0, 0x1],
  ['nosuid', 0x2, 0],
  ['suid', 0, 0x2],
  ['nodev', 0x4, 0],
  ['dev', 0, 0x4],
  ['noexec', 0x8, 0],
  ['exec', 0, 0x8],
  ['nosymfollow', 0x20_0000, 0],
  ['symfollow', 0, 0x20_0000],
  ['nodiratime', 0x80, 0],
  ['diratime', 0, 0x80],
  ['noatime', 0x10, 0x70],
  ['atime', 0, 0x70],
  ['relatime', 0, 0x70],
  ['norelatime', 0, 0x70],
  ['strictatime', 0x20, 0x70],
  ['nostrictatime', 0, 0x70],
];
const recursive = 1 << 14;
const spread: [string, number][] = [
  ['unbindable', 1 << 17],
  ['private', 1 << 18],
  ['slave', 1 << 19],
  ['shared', 1 << 20],
];
const words: [string, string[]][] = [
  ['sync', ['sync']],
  ['dirsync', ['dirsync']],
  ['lazytime', ['lazytime']],
  ['mand', ['mand']],
  ['iversion', ['iversion']],
  ['acl', ['posixacl']],
  ...['async', 'nolazytime', 'nomand', 'noiversion', 'noacl', 'silent', 'loud', 'defaults'].map(
    (name): [string, string[]] => [name, []],
  ),
];

const plain = mountOptionsOf({ destination: '/x' });
const table: [string, Partial<typeof plain>][] = [
  ...attributes.map(([name, set, clear]): [string, Partial<typeof plain>] => [name, { set, clear }]),
  ...attributes.map(([name, deepSet, deepClear]): [string, Partial<typeof plain>] => [
    `r${name}`,
    { deepSet, deepClear },
  ]),
  ...spread.map(([name, propagation]): [string, Partial<typeof plain>] => [name, { propagation }]),
  ...spread.map(([name, bits]): [string, Partial<typeof plain>] => [`r${name}`, { propagation: bits | recursive }]),
  ...words.map(([name, data]): [string, Partial<typeof plain>] => [name, { data }]),
  ['bind', { isBind: true }],
  ['rbind', { isBind: true, isRecursive: true }],
  ['remount', { isRemount: true }],
  ['tmpcopyup', { copiesUp: true }],
  ['idmap', { idmap: 'flat' }],
  ['ridmap', { idmap: 'deep' }],
  ['size=7', { data: ['size=7'] }],
];

test.each(table)('the option %s', (option, means) => {
  expect(mountOptionsOf({ destination: '/x', options: [option] })).toEqual({ ...plain, ...means });
});

test('the table has every option there is', () => {
  expect(
    table
      .map(([name]) => name)
      .filter((name) => name !== 'size=7')
      .sort(),
  ).toEqual(mountOptions);
});

test.each([
  [['ro', 'rw'], 0, 1],
  [['rw', 'ro'], 1, 0],
  [['nosuid', 'suid', 'nosuid'], 2, 0],
  [['noatime', 'strictatime'], 0x20, 0x70],
  [['noatime', 'relatime'], 0, 0x70],
  [['ro', 'noatime', 'nodev'], 0x15, 0x70],
])('of %j the last one counts', (options, set, clear) => {
  expect(mountOptionsOf({ destination: '/x', options })).toMatchObject({ set, clear });
});

const hybrid = {
  mode: 'hybrid',
  v1: [
    { path: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
    { path: '/sys/fs/cgroup/memory', controllers: ['memory'] },
    { path: '/sys/fs/cgroup/systemd', controllers: ['name=systemd'] },
  ],
  v2: { path: '/sys/fs/cgroup/unified' },
} as unknown as Hierarchies;
const cgroup: Mount = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', 'nosuid'] };
const tmpfs = ['mount', 'tmpfs', '/sys/fs/cgroup', 'tmpfs', ['mode=755'], ...u64(2, 0, 0, 0, 0), 1];
const links = ['cpu', 'cpuacct'].map((name) => ['symlink', 'cpu,cpuacct', `/sys/fs/cgroup/${name}`]);
const sealed = ['attributes', '/sys/fs/cgroup', ...u64(1, 0, 0, 0, 0)];

test('cgroup v1 in a cgroup namespace: each hierarchy mounted anew, then sealed', () => {
  const one = (directory: string, type: string, data: string[]) => [
    ...['mount', 'cgroup', `/sys/fs/cgroup/${directory}`, type],
    ...[data, ...u64(3, 0, 0, 0, 0), 1],
  ];
  expect(mountSteps(cgroup, 0, around({ cgroups: cgroupMounts(hybrid, '/a') }))).toEqual([
    tmpfs,
    one('cpu,cpuacct', 'cgroup', ['cpu', 'cpuacct']),
    ...links,
    one('memory', 'cgroup', ['memory']),
    one('systemd', 'cgroup', ['none', 'name=systemd']),
    one('unified', 'cgroup2', []),
    sealed,
  ]);
});

test('cgroup v1 without a cgroup namespace: the container’s own directory of each hierarchy is bound', () => {
  const cgroups = cgroupMounts(hybrid, '/a');
  const bind = (name: string) => [
    ...['bind', `/sys/fs/cgroup/${name}/a`, `/sys/fs/cgroup/${name}`, none, 1],
    ...u64(3, 0, 0, 0, (1 << 18) | recursive),
  ];
  const steps = mountSteps(cgroup, 0, around({ cgroups, hasCgroupNamespace: false }));
  expect(steps).toEqual([tmpfs, bind('cpu,cpuacct'), ...links, ...['memory', 'systemd', 'unified'].map(bind), sealed]);
});

test('the unified hierarchy is mounted right there', () => {
  const unified = { mode: 'unified', v1: [], v2: { path: '/sys/fs/cgroup' } } as unknown as Hierarchies;
  const cgroups = cgroupMounts(unified, '/a');
  expect(mountSteps({ ...cgroup, type: 'cgroup2', options: [] }, 0, around({ cgroups }))).toEqual([
    ['mount', 'cgroup', '/sys/fs/cgroup', 'cgroup2', [], ...nothing, 1],
  ]);
});
