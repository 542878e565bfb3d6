/** Every limit on this machine's own hierarchies, and the words for those it has no controller for. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { cgroupPlan } from './cgroup.ts';
import { container, isUsable } from './container.fixture.ts';
import { hierarchies, v1Directory } from './hierarchies.ts';

const MiB = 1024 * 1024;
const all = hierarchies();
const disk = readdirSync('/sys/block').find((name) => !/^(loop|ram)/.test(name));
const [major, minor] = (disk ? readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim() : '0:0').split(':').map(Number);
const at = { major: major!, minor: minor! };

type Row = [controller: string, resources: Resources, files: Record<string, string>];
const rows: Row[] = [
  [
    'memory',
    {
      memory: {
        ...{ limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB, kernel: 5, kernelTCP: 8 * MiB, swappiness: 7 },
        ...{ disableOOMKiller: true, useHierarchy: true, checkBeforeUpdate: true },
      },
    },
    {
      'memory.limit_in_bytes': String(64 * MiB),
      'memory.memsw.limit_in_bytes': String(96 * MiB),
      'memory.soft_limit_in_bytes': String(32 * MiB),
      'memory.kmem.tcp.limit_in_bytes': String(8 * MiB),
      'memory.swappiness': '7',
    },
  ],
  ['memory', { memory: { swappiness: 0 } }, { 'memory.swappiness': '0' }],
  ['memory', { memory: { limit: 0, reservation: 0, swap: 0 }, cpu: { shares: 0, quota: 0 } }, {}],
  [
    'cpu',
    { cpu: { shares: 2048, quota: 30_000, period: 50_000, burst: 10_000 } },
    {
      ...{ 'cpu.shares': '2048', 'cpu.cfs_quota_us': '30000', 'cpu.cfs_period_us': '50000' },
      'cpu.cfs_burst_us': '10000',
    },
  ],
  ['cpu', { cpu: { idle: 1 } }, { 'cpu.idle': '1' }],
  ['cpu', { cpu: { realtimePeriod: 500_000 } }, { 'cpu.rt_period_us': '500000' }],
  ['cpuset', { cpu: { cpus: '0', mems: '0' } }, { 'cpuset.cpus': '0', 'cpuset.mems': '0' }],
  ['pids', { pids: { limit: 17 } }, { 'pids.max': '17' }],
  ['pids', { pids: { limit: -1 } }, { 'pids.max': 'max' }],
  ['pids', { pids: { limit: 0 } }, { 'pids.max': '1' }],
  ['blkio', { blockIO: { weight: 300 } }, { 'blkio.bfq.weight': '300' }],
  [
    'blkio',
    {
      blockIO: {
        throttleReadBpsDevice: [{ ...at, rate: 1_000_000 }],
        throttleWriteBpsDevice: [{ ...at, rate: 2_000_000 }],
        throttleReadIOPSDevice: [{ ...at, rate: 100 }],
        throttleWriteIOPSDevice: [{ ...at, rate: 200 }],
      },
    },
    {
      'blkio.throttle.read_bps_device': `${major}:${minor} 1000000`,
      'blkio.throttle.write_bps_device': `${major}:${minor} 2000000`,
      'blkio.throttle.read_iops_device': `${major}:${minor} 100`,
      'blkio.throttle.write_iops_device': `${major}:${minor} 200`,
    },
  ],
];

test.each(rows)('%s: %j', async (controller, resources, files) => {
  const top = v1Directory(all, controller, '');
  if (!isUsable || !top) return console.log(`skipped: this machine has no v1 controller ${controller}`);
  if (controller === 'blkio' && !disk) return console.log('skipped: this machine has no disk');
  await using one = await container('limits', resources);
  const shown = (file: string) => readFileSync(`${top}${one.path}/${file}`, 'utf8').trim();
  expect(Object.fromEntries(Object.keys(files).map((file) => [file, shown(file)]))).toEqual(files);
  if (resources.memory?.disableOOMKiller) expect(shown('memory.oom_control')).toContain('oom_kill_disable 1');
});

/** What runs out of luck on a machine whose v1 hierarchies lack it and whose v2 has no equal. */
const v1Only = { mode: 'v1', v1: [], v2: null, cpuset: { cpus: '', mems: '' } } as const;
test.each([
  ['memory.limit', 'memory', { memory: { limit: 1 } }],
  ['memory.swappiness', 'memory', { memory: { swappiness: 0 } }],
  ['cpu.idle', 'cpu', { cpu: { idle: 1 } }],
  ['cpu.mems', 'cpuset', { cpu: { mems: '0' } }],
  ['pids.limit', 'pids', { pids: { limit: 0 } }],
  ['blockIO.throttleWriteIOPSDevice', 'blkio', { blockIO: { throttleWriteIOPSDevice: [{ ...at, rate: 1 }] } }],
  ['hugepageLimits', 'hugetlb', { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }],
  ['network.classID', 'net_cls', { network: { classID: 5 } }],
  ['network.priorities', 'net_prio', { network: { priorities: [{ name: 'lo', priority: 1 }] } }],
  ['rdma', 'rdma', { rdma: { mlx5: { hcaHandles: 1 } } }],
  ['unified["memory.high"]', 'memory.high', { unified: { 'memory.high': '1' } }],
] as [string, string, Resources][])(
  'without its controller %s is refused by name',
  (property, controller, resources) => {
    const plan = () => cgroupPlan(resources, { ...v1Only, v1: [] }, '/c');
    expect(plan).toThrow(
      expect.objectContaining({ code: 'host.kernel-feature', resource: `linux.resources.${property}` }),
    );
    expect(plan).toThrow(
      controller === 'memory.high' ? /no cgroup v2 is mounted/ : `machine has the controller ${controller}`,
    );
  },
);

test.each(['../x', 'a/b', '..', '.x', 'memory', 'memory..max', 'memory. max', ''])(
  'unified: the key %j is no file',
  (key) => {
    expect(() => cgroupPlan({ unified: { [key]: '1' } }, all, '/c')).toThrow(
      expect.objectContaining({ code: 'config.value' }),
    );
  },
);

test('values no machine could take are told as such', () => {
  const of = (resources: Resources) => () => cgroupPlan(resources, all, '/c');
  const wrong = expect.objectContaining({ code: 'config.value' });
  expect(of({ memory: { limit: 100, swap: 50 } })).toThrow(wrong);
  expect(of({ memory: { swappiness: 101 } })).toThrow(wrong);
});

test('a page size is never a path', async () => {
  const hugetlb = { ...all, v1: [{ path: '/x', controllers: ['hugetlb'] }] };
  for (const pageSize of ['../2MB', '2mb', 'MB', '']) {
    expect(() => cgroupPlan({ hugepageLimits: [{ pageSize, limit: 1 }] }, hugetlb, '/c')).toThrow(
      /not the size of a huge page/,
    );
  }
});

test.skipIf(!isUsable || all.mode !== 'hybrid')(
  'hybrid: files of the v2 hierarchy can be set, others are named',
  async () => {
    await using one = await container('unified', { unified: { 'cgroup.max.depth': '3' } });
    expect(readFileSync(`${all.v2!.path}${one.path}/cgroup.max.depth`, 'utf8')).toBe('3\n');
    await expect(container('unified-2', { unified: { 'memory.high': '100' } })).rejects.toMatchObject({
      code: 'host.kernel-feature',
      resource: 'linux.resources.unified["memory.high"]',
      message: expect.stringMatching(/no memory.high in .*unified-2/),
    });
    await expect(container('unified-2', { blockIO: { leafWeight: 100 } })).rejects.toMatchObject({
      code: 'host.kernel-feature',
      message: expect.stringMatching(/neither blkio.leaf_weight nor blkio.bfq.leaf_weight/),
    });
    await (await container('unified-2'))[Symbol.asyncDispose]();
  },
);

test.skipIf(!isUsable)(
  'a cpuset parent narrower than the machine is not widened, and its values are inherited',
  async () => {
    const top = v1Directory(all, 'cpuset', '');
    if (!top || all.cpuset.cpus === '0')
      return console.log('skipped: needs the v1 controller cpuset and two processors');
    await using outer = await container('narrow', { cpu: { cpus: '0' } });
    await using inner = await container('narrow/inner');
    expect(readFileSync(`${top}${inner.path}/cpuset.cpus`, 'utf8').trim()).toBe('0');
    expect(readFileSync(`${top}${outer.path}/cpuset.cpus`, 'utf8').trim()).toBe('0');
  },
);

test.skipIf(!isUsable || all.mode === 'unified')(
  'network: classID and priorities, with the controllers mounted',
  () => {
    const script = `
    mount -t tmpfs t /mnt && mkdir /mnt/net && mount -t cgroup -o net_cls,net_prio n /mnt/net || exit 9
    exec ${process.execPath} ${new URL('./network.fixture.ts', import.meta.url).pathname}`;
    const { status, stdout, stderr } = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script], {
      encoding: 'utf8',
    });
    if (status === 9) return console.log(`skipped: this kernel has no net_cls and net_prio: ${stderr}`);
    expect(stdout, stderr).toContain('classid 1048577\nlo 500\nleft false\n');
    expect(existsSync('/mnt/net')).toBe(false);
  },
);
