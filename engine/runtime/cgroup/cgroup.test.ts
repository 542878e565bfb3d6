import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import {
  cgroupPlan,
  cgroupProcesses,
  cgroupsPath,
  containerCgroups,
  hierarchies,
  killCgroup,
  makeCgroups,
  oomKills,
  removeCgroups,
  removeStackCgroups,
} from './cgroup.ts';
import { parseHierarchies } from './hierarchies.ts';
import { cpuWeight } from './v2.ts';

const line = (path: string, type: string, options: string) =>
  `40 31 0:30 / ${path} rw,nosuid shared:9 - ${type} ${type} ${options}`;
const files: Record<string, string> = {
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
  '/sys/fs/cgroup/cpuset/cpuset.cpus': '0-3\n',
  '/sys/fs/cgroup/cpuset/cpuset.mems': '0\n',
};
const parse = (...lines: string[]) => parseHierarchies(lines.join('\n'), (file) => files[file] ?? '');
const unified = parse(line('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate'));
const hybrid = parse(
  line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
  line('/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset,clone_children'),
  line('/sys/fs/cgroup/memory', 'cgroup', 'rw,memory'),
  line('/sys/fs/cgroup/devices', 'cgroup', 'rw,devices'),
  line('/sys/fs/cgroup/pids', 'cgroup', 'rw,pids'),
  line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,release_agent=/lib/systemd/agent,name=systemd'),
  line('/sys/fs/cgroup/unified', 'cgroup2', 'rw'),
);

test('hierarchies are read from mountinfo', () => {
  expect([unified.mode, hybrid.mode]).toEqual(['unified', 'hybrid']);
  expect(unified.v2).toEqual({
    path: '/sys/fs/cgroup',
    controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'],
  });
  expect(hybrid.v1.map((one) => one.controllers)).toEqual([
    ['cpu', 'cpuacct'],
    ['cpuset'],
    ['memory'],
    ['devices'],
    ['pids'],
    ['name=systemd'],
  ]);
  expect(hybrid.cpuset).toEqual({ cpus: '0-3', mems: '0' });
  expect(parse('22 1 0:20 / /proc rw - proc proc rw').mode).toBe('none');
  expect(parse(line('/sys/fs/cgroup/pids', 'cgroup', 'rw,pids')).mode).toBe('v1');
});

test('of several mounts of one hierarchy the usual place counts, and octal is read', () => {
  const twice = parse(
    line('/run/lxc\\040fs/pids', 'cgroup', 'rw,pids'),
    line('/sys/fs/cgroup/pids', 'cgroup', 'rw,pids'),
    line('/mnt/a\\040b', 'cgroup', 'rw,freezer'),
  );
  expect(twice.v1.map((one) => one.path)).toEqual(['/sys/fs/cgroup/pids', '/mnt/a b']);
});

test('a plan joins every v1 hierarchy by tasks and the v2 one by its directory', () => {
  const plan = cgroupPlan({}, hybrid, '/stack/demo/1f');
  expect(plan.tasks).toEqual([
    '/sys/fs/cgroup/cpu,cpuacct/stack/demo/1f/tasks',
    '/sys/fs/cgroup/cpuset/stack/demo/1f/tasks',
    '/sys/fs/cgroup/memory/stack/demo/1f/tasks',
    '/sys/fs/cgroup/devices/stack/demo/1f/tasks',
    '/sys/fs/cgroup/pids/stack/demo/1f/tasks',
    '/sys/fs/cgroup/systemd/stack/demo/1f/tasks',
  ]);
  expect(plan.unified).toBe('/sys/fs/cgroup/unified/stack/demo/1f');
  expect(plan.directories).toHaveLength(7);
  expect(cgroupPlan({}, unified, '/stack/demo/1f')).toMatchObject({
    tasks: [],
    unified: '/sys/fs/cgroup/stack/demo/1f',
  });
});

test('parents come first and are prepared: cpuset values on v1, controllers on v2', () => {
  const v1 = cgroupPlan({}, hybrid, '/stack/demo/1f').parents.filter((one) => one.path.includes('/cpuset/'));
  expect(v1).toEqual(
    ['/sys/fs/cgroup/cpuset/stack', '/sys/fs/cgroup/cpuset/stack/demo'].map((path) => ({
      path,
      writes: [
        { file: `${path}/cpuset.cpus`, value: '0-3', isInitial: true },
        { file: `${path}/cpuset.mems`, value: '0', isInitial: true },
      ],
    })),
  );
  const v2 = cgroupPlan({ hugepageLimits: [] }, unified, '/stack/demo/1f').parents;
  expect(v2.map((one) => one.path)).toEqual(['/sys/fs/cgroup', '/sys/fs/cgroup/stack', '/sys/fs/cgroup/stack/demo']);
  expect(v2[1]!.writes.map((one) => `${one.file} ${one.value}`)).toEqual(
    ['cpuset', 'cpu', 'io', 'memory', 'pids'].map((name) => `/sys/fs/cgroup/stack/cgroup.subtree_control +${name}`),
  );
});

const MiB = 1024 * 1024;
const leaf = (resources: Resources, all: typeof unified) =>
  cgroupPlan(resources, all, '/c').writes.map((one) => `${one.file.replace(/^.*\/c\//, '')} ${one.value}`);

test.each([
  ['no limits', {}, [], []],
  [
    'memory with swap',
    { memory: { limit: 64 * MiB, swap: 128 * MiB, reservation: 32 * MiB } },
    ['memory.limit_in_bytes 67108864', 'memory.soft_limit_in_bytes 33554432', 'memory.memsw.limit_in_bytes 134217728'],
    ['memory.max 67108864', 'memory.swap.max 67108864', 'memory.low 33554432'],
  ],
  [
    'unlimited swap',
    { memory: { limit: 64 * MiB, swap: -1 } },
    ['memory.limit_in_bytes 67108864', 'memory.memsw.limit_in_bytes -1'],
    ['memory.max 67108864', 'memory.swap.max max'],
  ],
  ['unlimited memory', { memory: { limit: -1 } }, ['memory.limit_in_bytes -1'], ['memory.max max']],
  [
    'half a processor',
    { cpu: { quota: 50_000, period: 100_000 } },
    ['cpu.cfs_period_us 100000', 'cpu.cfs_quota_us 50000'],
    ['cpu.max 50000 100000'],
  ],
  ['no quota', { cpu: { quota: -1 } }, ['cpu.cfs_quota_us -1'], ['cpu.max max 100000']],
  ['shares', { cpu: { shares: 1024 } }, ['cpu.shares 1024'], ['cpu.weight 100']],
  [
    'cpuset',
    { cpu: { cpus: '0,2', mems: '0' } },
    ['cpuset.cpus 0,2', 'cpuset.mems 0'],
    ['cpuset.cpus 0,2', 'cpuset.mems 0'],
  ],
  ['processes', { pids: { limit: 100 } }, ['pids.max 100'], ['pids.max 100']],
  ['any number of processes', { pids: { limit: -1 } }, ['pids.max max'], ['pids.max max']],
  [
    'huge pages',
    { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    null,
    ['hugetlb.2MB.max 0', 'hugetlb.2MB.rsvd.max 0'],
  ],
  ['files of v2', { unified: { 'memory.high': '1000' } }, null, ['memory.high 1000']],
  [
    'block devices',
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] } },
    null,
    ['io.max 8:0 rbps=1000'],
  ],
] as [string, Resources, string[] | null, string[]][])('limits: %s', (_, resources, v1, v2) => {
  const isOwn = (text: string) => !['cpuset.cpus 0-3', 'cpuset.mems 0'].includes(text) || v1?.includes(text);
  const onV1 = () => leaf(resources, { ...hybrid, v2: null }).filter(isOwn);
  if (v1) expect(onV1()).toEqual(v1);
  // These v1 hierarchies have no hugetlb and no blkio, and there is no v2.
  else expect(onV1).toThrow(expect.objectContaining({ code: 'host.kernel-feature' }));
  expect(leaf(resources, unified)).toEqual(v2);
});

test('controllers of v2 beyond the usual ones are enabled where they are asked for', () => {
  const enabled = (resources: Resources) =>
    cgroupPlan(resources, unified, '/c').parents[0]!.writes.map((one) => one.value.slice(1));
  expect(enabled({})).toEqual(['cpuset', 'cpu', 'io', 'memory', 'pids']);
  expect(enabled({ hugepageLimits: [{ pageSize: '2MB', limit: 0 }] })).toContain('hugetlb');
  expect(enabled({ rdma: { mlx5: { hcaHandles: 3 } } })).toContain('rdma');
  expect(enabled({ unified: { 'misc.max': 'sev 1' } })).toContain('misc');
});

test('a new cpuset takes the values of the top, the limits take their place', () => {
  const of = (resources: Resources) => leaf(resources, hybrid).filter((one) => one.startsWith('cpuset'));
  expect(of({})).toEqual(['cpuset.cpus 0-3', 'cpuset.mems 0']);
  expect(of({ cpu: { cpus: '1' } })).toEqual(['cpuset.cpus 0-3', 'cpuset.mems 0'].slice(1).concat('cpuset.cpus 1'));
});

test('device rules are writes of their own, without what changes nothing', () => {
  const lines = leaf(
    {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
        { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
        { allow: true, type: 'b', major: 8, access: 'r' },
        { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
      ],
    },
    hybrid,
  ).filter((one) => one.startsWith('devices'));
  expect(lines).toEqual([
    'devices.deny a',
    'devices.allow c 1:3 rwm',
    'devices.allow b 8:* r',
    'devices.deny c 1:3 w',
    'devices.allow c *:* m',
    'devices.allow b *:* m',
    ...['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:2'].map((numbers) => `devices.allow c ${numbers} rwm`),
    'devices.allow c 136:* rwm',
  ]);
  const open = leaf({ devices: [{ allow: true, access: 'rwm' }] }, hybrid).filter((one) => one.startsWith('devices'));
  expect(open).toEqual(['devices.allow a']);
});

test('device rules are a program where v1 has no files for them', () => {
  const devices = [{ allow: false, access: 'rwm' }];
  expect(cgroupPlan({ devices }, unified, '/c').deviceFilter).toBeInstanceOf(Uint8Array);
  expect(cgroupPlan({ devices }, hybrid, '/c').deviceFilter).toBeNull();
  expect(cgroupPlan({}, unified, '/c').deviceFilter).toBeNull();
});

test('weights of v2 keep the defaults and the ends of v1 shares', () => {
  expect([0, 2, 1024, 262_144, 1_000_000].map(cpuWeight)).toEqual([1, 1, 100, 10_000, 10_000]);
});

test('cgroupsPath carries stack and container; the parent moves', () => {
  expect(cgroupsPath('demo', '1f', '/stack')).toBe('/stack/demo/1f');
  expect(cgroupsPath('demo', '1f', 'ci/jobs/')).toBe('/ci/jobs/demo/1f');
});

const parent = `/stack-unit-${process.pid}`;
const isUsable = process.getuid?.() === 0 && hierarchies().mode !== 'none';
if (!isUsable) console.log('skipped: cgroups of the machine need root and a mounted hierarchy');

test.skipIf(!isUsable)('on this machine: limits hold, processes are found, killed, and nothing is left', async () => {
  const path = cgroupsPath('demo', 'abc', parent);
  const all = hierarchies();
  const plan = cgroupPlan(
    { memory: { limit: 64 * MiB }, cpu: { quota: 50_000, period: 100_000 }, pids: { limit: 20 } },
    all,
    path,
  );
  const child = spawn('/bin/sh', ['-c', 'read go; sleep 1000 & sleep 1000'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = once(child, 'exit');
  try {
    makeCgroups(plan, loadKernel().process);
    makeCgroups(plan, loadKernel().process);
    for (const write of plan.writes.filter((one) => /pids.max|limit_in_bytes|memory.max/.test(one.file))) {
      expect(readFileSync(write.file, 'utf8').trim(), write.file).toBe(write.value);
    }
    const joins = [...plan.tasks.map((file) => file.replace(/tasks$/, 'cgroup.procs')), `${plan.unified}/cgroup.procs`];
    for (const file of joins.filter(existsSync)) writeFileSync(file, String(child.pid));
    child.stdin.end('go\n');
    expect(containerCgroups('demo', parent)).toEqual(['abc']);
    expect(cgroupProcesses(path)).toContain(child.pid);
    expect(oomKills(path)).toBe(0);
    killCgroup(path);
    expect((await exited)[1]).toBe('SIGKILL');
  } finally {
    child.kill('SIGKILL');
    await removeCgroups(path);
    removeStackCgroups('demo', parent);
  }
  expect(containerCgroups('demo', parent)).toEqual([]);
  expect([...all.v1, ...(all.v2 ? [all.v2] : [])].filter((one) => existsSync(one.path + parent))).toEqual([]);
});

test.skipIf(!isUsable)('a limit the kernel refuses names the file and leaves a way back', async () => {
  const path = cgroupsPath('demo', 'bad', parent);
  try {
    expect(() => makeCgroups(cgroupPlan({ cpu: { cpus: '4000' } }, hierarchies(), path), loadKernel().process)).toThrow(
      /write 4000 to .*cpuset.cpus/,
    );
  } finally {
    await removeCgroups(path);
    removeStackCgroups('demo', parent);
  }
});
