/** Runs in the guest of cgroup2-resources.test.ts, bundled: the engine's cgroups on a kernel with nothing but v2. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as cgroups from '../../engine/runtime/cgroup/cgroup.ts';
import { loadKernel } from '../../native/index.ts';
import type { DeviceRule, Resources } from '../../schemas/oci-runtime.ts';

const MiB = 1024 * 1024;
const all = cgroups.hierarchies();
const verbs = loadKernel().process;
const top = all.v2!.path;

let done = 0;
async function check(name: string, body: () => unknown): Promise<void> {
  try {
    await body();
    console.log(`ok ${name}`);
    done++;
  } catch (thrown) {
    console.log(
      `FAIL ${name}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : thrown}`.replaceAll('\n', ' | '),
    );
  }
}

const started: ChildProcess[] = [];
async function container(id: string, resources: Resources, body: (path: string) => unknown): Promise<void> {
  const path = `/stack-runtime/${id}`;
  cgroups.makeCgroups(cgroups.cgroupPlan(resources, all, path), verbs);
  try {
    await body(path);
  } finally {
    await cgroups.removeCgroups(path);
  }
  assert.equal(existsSync(top + path), false, 'the directory is left');
}

/** A shell in the cgroup, done with `before`. */
async function run(path: string, script: string, before = ':'): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', `read go; ${before}; echo ready; ${script}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  writeFileSync(`${top}${path}/cgroup.procs`, String(child.pid));
  child.stdin!.end('go\n');
  await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  return child;
}

async function until(is: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 1000; round++) {
    if (is()) return;
    await sleep(10);
  }
  assert.fail(`not within 10 s: ${what}`);
}

const value = (path: string, file: string) => readFileSync(`${top}${path}/${file}`, 'utf8').trim();
const ticks = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
};
const device = readFileSync('/sys/block/nullb0/dev', 'utf8').trim();
const [major, minor] = device.split(':').map(Number) as [number, number];
const at = { major, minor };

const limits: [name: string, resources: Resources, files: Record<string, string>][] = [
  [
    'memory',
    { memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB } },
    {
      'memory.max': String(64 * MiB),
      'memory.low': String(32 * MiB),
      'memory.swap.max': String(32 * MiB),
    },
  ],
  ['memory without swap', { memory: { limit: 64 * MiB, swap: 64 * MiB } }, { 'memory.swap.max': '0' }],
  [
    'memory unlimited',
    { memory: { limit: -1, swap: -1, kernel: 5, kernelTCP: -1 } },
    { 'memory.max': 'max', 'memory.swap.max': 'max' },
  ],
  [
    'cpu',
    { cpu: { shares: 2048, quota: 30_000, period: 50_000, burst: 10_000 } },
    {
      'cpu.weight': '174',
      'cpu.max': '30000 50000',
      'cpu.max.burst': '10000',
    },
  ],
  ['cpu.idle', { cpu: { idle: 1 } }, { 'cpu.idle': '1' }],
  [
    'cpuset',
    { cpu: { cpus: '1', mems: '0' } },
    { 'cpuset.cpus': '1', 'cpuset.mems': '0', 'cpuset.cpus.effective': '1' },
  ],
  ['pids', { pids: { limit: 17 } }, { 'pids.max': '17' }],
  ['pids 0', { pids: { limit: 0 } }, { 'pids.max': '1' }],
  [
    'blockIO weights',
    { blockIO: { weight: 300, weightDevice: [{ ...at, weight: 400 }] } },
    { 'io.bfq.weight': `default 300\n${device} 400` },
  ],
  [
    'blockIO throttling',
    {
      blockIO: {
        throttleReadBpsDevice: [{ ...at, rate: 1_000_000 }],
        throttleWriteBpsDevice: [{ ...at, rate: 2_000_000 }],
        throttleReadIOPSDevice: [{ ...at, rate: 100 }],
        throttleWriteIOPSDevice: [{ ...at, rate: 200 }],
      },
    },
    { 'io.max': `${device} rbps=1000000 wbps=2000000 riops=100 wiops=200` },
  ],
  [
    'hugepageLimits',
    { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MiB }] },
    {
      'hugetlb.2MB.max': String(4 * MiB),
      'hugetlb.2MB.rsvd.max': String(4 * MiB),
    },
  ],
  [
    'unified',
    {
      memory: { limit: 64 * MiB },
      unified: {
        'memory.high': String(32 * MiB),
        'memory.max': String(48 * MiB),
        'cgroup.max.descendants': '7',
        'io.max': `${device} rbps=4096\n${device} wiops=9`,
      },
    },
    {
      'memory.high': String(32 * MiB),
      'memory.max': String(48 * MiB),
      'cgroup.max.descendants': '7',
      'io.max': `${device} rbps=4096 wbps=max riops=max wiops=9`,
    },
  ],
];
await check('limit blockIO weights without the scheduler bfq', () =>
  container('weight', { blockIO: { weight: 300 } }, (path) => assert.equal(value(path, 'io.weight'), 'default 2930')),
);
spawnSync('modprobe', ['bfq']);
writeFileSync('/sys/block/nullb0/queue/scheduler', 'bfq');
for (const [name, resources, files] of limits) {
  await check(`limit ${name}`, () =>
    container('limit', resources, (path) => {
      for (const [file, text] of Object.entries(files)) assert.equal(value(path, file), text, file);
    }),
  );
}

const unkeepable: [property: string, resources: Resources][] = [
  ['memory.swappiness', { memory: { swappiness: 10 } }],
  ['memory.disableOOMKiller', { memory: { disableOOMKiller: true } }],
  ['memory.useHierarchy', { memory: { useHierarchy: false } }],
  ['memory.kernelTCP', { memory: { kernelTCP: 100 } }],
  ['cpu.realtimeRuntime', { cpu: { realtimeRuntime: 100 } }],
  ['cpu.realtimePeriod', { cpu: { realtimePeriod: 100 } }],
  ['blockIO.leafWeight', { blockIO: { leafWeight: 100 } }],
  ['blockIO.weightDevice.leafWeight', { blockIO: { weightDevice: [{ ...at, weight: 10, leafWeight: 10 }] } }],
  ['network.classID', { network: { classID: 1 } }],
  ['network.priorities', { network: { priorities: [{ name: 'lo', priority: 1 }] } }],
  ['hugepageLimits', { hugepageLimits: [{ pageSize: '3MB', limit: 0 }] }],
  ['unified["memory.nothing"]', { unified: { 'memory.nothing': '1' } }],
  ['unified["nothing.max"]', { unified: { 'nothing.max': '1' } }],
];
for (const [property, resources] of unkeepable) {
  await check(`refused ${property}`, async () => {
    await assert.rejects(
      container('refused', resources, () => {}),
      {
        code: 'host.kernel-feature',
        resource: `linux.resources.${property}`,
      },
    );
    await cgroups.removeCgroups('/stack-runtime/refused');
  });
}

await check('update', () =>
  container(
    'update',
    { memory: { limit: 64 * MiB, swap: 64 * MiB }, cpu: { quota: 20_000, period: 50_000 } },
    async (path) => {
      const update = (resources: Resources) => cgroups.updateCgroups(path, resources, undefined, verbs);
      update({ memory: { swap: 100 * MiB } });
      assert.equal(value(path, 'memory.swap.max'), String(36 * MiB));
      update({ memory: { limit: -1 } });
      assert.deepEqual([value(path, 'memory.max'), value(path, 'memory.swap.max')], ['max', 'max']);
      update({ cpu: { quota: 40_000 } });
      assert.equal(value(path, 'cpu.max'), '40000 50000');
      update({ cpu: { period: 80_000 } });
      assert.equal(value(path, 'cpu.max'), '40000 80000');
      update({ cpu: { quota: 10_000, burst: 10_000 } });
      update({ cpu: { quota: 90_000, burst: 60_000 } });
      assert.deepEqual([value(path, 'cpu.max'), value(path, 'cpu.max.burst')], ['90000 80000', '60000']);
      update({ cpu: { idle: 1 } });
      update({ cpu: { idle: 0, shares: 1024 } });
      assert.equal(value(path, 'cpu.weight'), '100');
      update({ pids: { limit: 50 }, hugepageLimits: [{ pageSize: '2MB', limit: 0 }] });
      assert.deepEqual([value(path, 'pids.max'), value(path, 'hugetlb.2MB.max')], ['50', '0']);
      await run(path, 'sleep 1000 & wait', 'x=$(head -c 9000000 /dev/zero | tr "\\0" x)');
      assert.ok(Number(value(path, 'memory.current')) > 5_000_000, `uses ${value(path, 'memory.current')}`);
      assert.throws(() => update({ memory: { limit: MiB, checkBeforeUpdate: true } }), {
        code: 'host.cgroup',
        errno: 'EBUSY',
      });
      assert.equal(value(path, 'memory.max'), 'max');
    },
  ),
);

await check('freeze and thaw', () =>
  container('freeze', {}, async (path) => {
    const { pid } = await run(path, '(while :; do :; done) & while :; do :; done');
    await cgroups.freezeCgroups(path, true);
    assert.equal(cgroups.isFrozen(path), true);
    assert.match(value(path, 'cgroup.events'), /^frozen 1$/m);
    const before = ticks(pid!);
    await sleep(100);
    assert.equal(ticks(pid!), before);
    await cgroups.freezeCgroups(path, false);
    assert.equal(cgroups.isFrozen(path), false);
    await until(() => ticks(pid!) > before, 'the process goes on');
  }),
);

for (const staysInUse of [false, true]) {
  for (const frozen of [false, true]) {
    await check(`kill${staysInUse ? ', staying in use' : ''}${frozen ? ', frozen' : ''}`, () =>
      container('kill', {}, async (path) => {
        const first = await run(
          path,
          'while :; do (sleep 1000 &); sleep 0.05; done & while :; do (sleep 1000 &); sleep 0.05; done',
        );
        if (frozen) await cgroups.freezeCgroups(path, true);
        cgroups.killCgroup(path, undefined, { staysInUse });
        if (first.signalCode === null) await once(first, 'exit');
        await until(() => cgroups.cgroupProcesses(path).length === 0, 'all are gone');
        if (!staysInUse) return;
        const next = await run(path, 'sleep 1000 & wait');
        assert.ok(cgroups.cgroupProcesses(path).includes(next.pid!));
      }),
    );
  }
}

await check('delete: frozen, with cgroups of its own', () =>
  container('nested', {}, async (path) => {
    mkdirSync(`${top}${path}/a/b/c`, { recursive: true });
    mkdirSync(`${top}${path}/a/x`);
    await run(`${path}/a/b/c`, 'sleep 1000 & sleep 1000');
    await cgroups.freezeCgroups(path, true);
  }),
);

await check('delegation', () =>
  container('delegate', { memory: { limit: 64 * MiB } }, (path) => {
    cgroups.delegateCgroup(path, 1234);
    const owner = (name: string) => statSync(`${top}${path}/${name}`).uid;
    assert.deepEqual(['.', 'cgroup.procs', 'cgroup.subtree_control', 'memory.max'].map(owner), [1234, 1234, 1234, 0]);
  }),
);

await check('stats', () =>
  container(
    'stats',
    { memory: { limit: 64 * MiB }, pids: { limit: 50 }, cpu: { quota: 10_000, period: 100_000 } },
    async (path) => {
      await run(path, '(while :; do :; done) & sleep 1000', 'x=$(head -c 6000000 /dev/zero | tr "\\0" x)');
      await until(() => Number(cgroups.cgroupStats(path).cpu.throttling.throttledPeriods) > 1, 'throttled');
      await until(() => cgroups.cgroupStats(path).pids.current >= 2, 'both processes');
      const { memory, pids, cpu, hugetlb, cpuset } = cgroups.cgroupStats(path);
      assert.equal(memory.usage.limit, 64 * MiB);
      assert.ok(Number(memory.usage.usage) > 5_000_000, `usage ${memory.usage.usage}`);
      assert.ok(Number(memory.swap.usage) >= Number(memory.usage.usage) - MiB);
      assert.ok(Number(memory.raw.anon) > 5_000_000);
      assert.equal(pids.limit, 50);
      assert.ok(Number(cpu.usage.total) >= Number(cpu.usage.user) && Number(cpu.usage.total) > 10_000_000);
      assert.ok(cpu.psi?.some);
      assert.deepEqual([hugetlb['2MB']?.usage ?? 0, cpuset.cpus], [0, [0, 1]]);
    },
  ),
);

await check('out of memory is told', () =>
  container('oom', { memory: { limit: 8 * MiB, swap: 8 * MiB } }, async (path) => {
    assert.deepEqual(cgroups.oomEvents(path), { kills: 0, ownKills: 0 });
    const child = await run(path, 'x=0123456789abcdef; while :; do x=$x$x; done');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    assert.ok(cgroups.oomKills(path) >= 1);
    assert.equal(cgroups.oomEvents(path).ownKills, cgroups.oomKills(path));
  }),
);

const closed: DeviceRule = { allow: false, access: 'rwm' };
const rule = (allow: boolean, type: 'b' | 'c', numbers: [number?, number?], access: string): DeviceRule => ({
  ...{ allow, type, access },
  ...(numbers[0] === undefined ? {} : { major: numbers[0] }),
  ...(numbers[1] === undefined ? {} : { minor: numbers[1] }),
});
await check('devices: allowed, refused, replaced', () =>
  container('devices', { devices: [closed, rule(true, 'c', [1, 3], 'rw'), rule(true, 'b', [major], 'r')] }, (path) => {
    const script = [
      'echo 0 > "$0/cgroup.procs"',
      'cat /dev/null && echo null',
      'dd if=/dev/nullb0 of=/dev/null bs=512 count=1 2>/dev/null && echo disk',
      '(: > /dev/nullb0) 2>/dev/null && echo write',
      // Not one of those that every container has.
      '(: < /dev/kmsg) 2>/dev/null && echo kmsg',
      'mknod /tmp/made b 250 0 && rm /tmp/made && echo mknod',
    ].join('\n');
    const can = () =>
      spawnSync('/bin/busybox', ['sh', '-c', script, top + path], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n');
    assert.deepEqual(can(), ['null', 'disk', 'mknod']);
    const devices = [
      { allow: true, access: 'rwm' },
      rule(false, 'b', [major, minor], 'w'),
      rule(false, 'c', [1, 11], 'r'),
    ];
    cgroups.updateCgroups(path, { devices }, undefined, verbs);
    assert.deepEqual(can(), ['null', 'disk', 'mknod']);
    cgroups.updateCgroups(path, { devices: [{ allow: true, access: 'rwm' }] }, undefined, verbs);
    assert.deepEqual(can(), ['null', 'disk', 'write', 'kmsg', 'mknod']);
  }),
);

cgroups.removeStackCgroups('stack-runtime', '');
for (const child of started) child.kill('SIGKILL');
console.log(`all ${done} done`);
