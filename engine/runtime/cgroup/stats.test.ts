import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { container, isUsable } from './container.fixture.ts';
import { figure, numbersOf } from './figures.ts';
import { hierarchies } from './hierarchies.ts';
import { cgroupStats } from './stats.ts';

const MiB = 1024 * 1024;

test.skipIf(!isUsable)(
  'on this machine: figures are those of the container',
  async () => {
    const limits = { memory: { limit: 64 * MiB }, pids: { limit: 50 }, cpu: { quota: 10_000, period: 100_000 } };
    await using one = await container('stats', limits);
    await one.run('(while :; do :; done) & sleep 1000', '', 'x=$(head -c 6000000 /dev/zero | tr "\\0" x)');
    await expect
      .poll(() => Number(cgroupStats(one.path).cpu.throttling.throttledPeriods), { timeout: 9000 })
      .toBeGreaterThan(1);
    const stats = cgroupStats(one.path);
    expect(stats.memory.usage.limit).toBe(64 * MiB);
    expect(stats.memory.usage.usage).toBeGreaterThan(5_000_000);
    expect(stats.memory.usage.max).toBeGreaterThanOrEqual(Number(stats.memory.usage.usage));
    expect(Object.keys(stats.memory.raw).length).toBeGreaterThan(10);
    expect(stats.pids.limit).toBe(50);
    expect(stats.cpu.usage.total).toBeGreaterThan(10_000_000);
    expect(Number(stats.cpu.usage.user) + Number(stats.cpu.usage.kernel)).toBeGreaterThan(10_000_000);
    if (hierarchies().v1.length > 0) {
      const { percpu = [], total, percpu_user = [] } = stats.cpu.usage;
      expect(percpu.length).toBe(percpu_user.length);
      const sum = percpu.reduce<number>((all, each) => all + Number(each), 0);
      expect(Math.abs(sum - Number(total)) / Number(total)).toBeLessThan(0.2);
    }
  },
  15_000,
);

test.skipIf(!isUsable)('a cgroup that is gone is told', () => {
  expect(() => cgroupStats('/stack-test-none')).toThrow(
    expect.objectContaining({ code: 'host.cgroup', errno: 'ENOENT' }),
  );
});

test('v2: units, swap counted with memory, both kinds of huge pages, pressure', () => {
  const top = mkdtempSync(join(tmpdir(), 'stack-stats-'));
  mkdirSync(`${top}/c`);
  const files: Record<string, string> = {
    'cpu.stat': 'usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 9\nnr_throttled 4\nthrottled_usec 7\n',
    'cpu.pressure': 'some avg10=1.50 avg60=0.20 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    'memory.current': '1000\n',
    'memory.max': '4096\n',
    'memory.peak': '2000\n',
    'memory.events': 'low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n',
    'memory.stat': 'anon 1\nfile 600\nkernel 50\nsock 8\n',
    'memory.swap.current': '24\n',
    'memory.swap.max': 'max\n',
    'pids.current': '2\n',
    'pids.max': 'max\n',
    'io.stat': '8:0 rbytes=4096 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\n7:1 rbytes=1\n',
    'hugetlb.2MB.current': '1\n',
    'hugetlb.2MB.rsvd.current': '2097152\n',
    'hugetlb.2MB.events': 'max 5\n',
    'cpuset.cpus.effective': '0-1,3\n',
  };
  try {
    for (const [file, text] of Object.entries(files)) writeFileSync(`${top}/c/${file}`, text);
    const v2 = { path: top, controllers: [] };
    const stats = cgroupStats('/c', { mode: 'unified', v1: [], v2, cpuset: { cpus: '', mems: '' } });
    expect(stats.cpu).toEqual({
      usage: { total: 5_000_000, kernel: 2_000_000, user: 3_000_000 },
      throttling: { periods: 9, throttledPeriods: 4, throttledTime: 7000 },
      psi: {
        some: { avg10: 1.5, avg60: 0.2, avg300: 0, total: 77 },
        full: { avg10: 0, avg60: 0, avg300: 0, total: 0 },
      },
    });
    expect(stats.memory).toMatchObject({
      cache: 600,
      usage: { limit: 4096, usage: 1000, max: 2000, failcnt: 3 },
      swap: { limit: 2n ** 64n - 1n, usage: 1024 },
      kernel: { usage: 50 },
      kernelTCP: { usage: 8 },
    });
    expect(stats.pids).toEqual({ current: 2, limit: 0 });
    expect(stats.blkio.ioServiceBytesRecursive).toEqual([
      { major: 8, minor: 0, op: 'Read', value: 4096 },
      { major: 8, minor: 0, op: 'Write', value: 1 },
      { major: 8, minor: 0, op: 'Discard', value: 0 },
      { major: 7, minor: 1, op: 'Read', value: 1 },
    ]);
    expect(stats.blkio.ioServicedRecursive?.map((each) => each.value)).toEqual([2, 3, 0]);
    expect(stats.hugetlb).toEqual({ '2MB': { usage: 2_097_152, max: 0, failcnt: 5 } });
    expect(stats.cpuset.cpus).toEqual([0, 1, 3]);
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('figures are exact', () => {
  expect(['9223372036854771712', '12', 'max', '', '-1'].map(figure)).toEqual([
    9223372036854771712n,
    12,
    2n ** 64n - 1n,
    0,
    -1,
  ]);
  expect(numbersOf('0-2,7\n')).toEqual([0, 1, 2, 7]);
});
