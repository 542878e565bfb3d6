import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import type { DeviceRule, Resources } from '../../../schemas/oci-runtime.ts';
import { container, isUsable, v2Alone } from './container.fixture.ts';
import { hierarchies, v1Directory } from './hierarchies.ts';
import { updateCgroups } from './update.ts';

const MiB = 1024 * 1024;
const verbs = isUsable ? loadKernel().process : undefined!;
const hasV1 = (controller: string) => isUsable && v1Directory(hierarchies(), controller, '') !== null;
const update = (path: string, resources: Resources) => updateCgroups(path, resources, undefined, verbs);
const value = (path: string, controller: string, file: string) =>
  readFileSync(`${v1Directory(hierarchies(), controller, path)}/${file}`, 'utf8').trim();

test.skipIf(!hasV1('memory'))('memory and swap go up and down together, whichever must be first', async () => {
  await using one = await container('memory', { memory: { limit: 64 * MiB, swap: 64 * MiB } });
  const both = () =>
    ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((file) => value(one.path, 'memory', file));
  for (const [limit, swap] of [
    [128, 256],
    [32, 32],
    [300, 300],
    [16, 600],
  ] as const) {
    update(one.path, { memory: { limit: limit * MiB, swap: swap * MiB } });
    expect(both()).toEqual([String(limit * MiB), String(swap * MiB)]);
  }
  expect(() => update(one.path, { memory: { limit: 700 * MiB } })).toThrow(
    expect.objectContaining({ code: 'host.cgroup', errno: 'EINVAL', resource: 'linux.resources.memory.limit' }),
  );
  update(one.path, { memory: { limit: -1 } });
  expect(both().map((each) => BigInt(each) > 2n ** 62n)).toEqual([true, true]);
});

test.skipIf(!hasV1('memory'))('a limit below what is used is refused in v1', async () => {
  await using one = await container('used', { memory: { limit: 64 * MiB, swap: 64 * MiB } });
  await one.run('sleep 1000 & wait', '', 'x=$(head -c 9000000 /dev/zero | tr "\\0" x)');
  expect(() => update(one.path, { memory: { limit: 64 * 1024, swap: 64 * MiB } })).toThrow(
    expect.objectContaining({ code: 'host.cgroup', errno: 'EBUSY' }),
  );
});

test.skipIf(!hasV1('cpu'))('quota, period and burst in any direction; what is not named stays', async () => {
  await using one = await container('cpu', { cpu: { quota: 50_000, period: 100_000, burst: 50_000, shares: 512 } });
  const files = ['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.cfs_burst_us', 'cpu.shares', 'cpu.idle'];
  const now = () => files.map((file) => Number(value(one.path, 'cpu', file)));
  update(one.path, { cpu: { quota: 20_000, burst: 10_000 } });
  expect(now()).toEqual([20_000, 100_000, 10_000, 512, 0]);
  update(one.path, { cpu: { quota: 400_000, burst: 300_000, period: 200_000 } });
  expect(now()).toEqual([400_000, 200_000, 300_000, 512, 0]);
  update(one.path, { cpu: { idle: 1 } });
  update(one.path, { cpu: { idle: 0, shares: 2048, burst: 0 } });
  expect(now()).toEqual([400_000, 200_000, 0, 2048, 0]);
  update(one.path, { cpu: { quota: -1 }, pids: { limit: 9 } });
  expect(now()[0]).toBe(-1);
  expect(value(one.path, 'pids', 'pids.max')).toBe('9');
});

const closed: DeviceRule = { allow: false, access: 'rwm' };
/** Not one of those that every container has. */
const kmsg: DeviceRule = { allow: true, type: 'c', major: 1, minor: 11, access: 'rw' };
const nothing: DeviceRule = { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' };

test.skipIf(!hasV1('devices'))('v1: new device rules take the place of the old, children or not', async () => {
  await using one = await container('devices', { devices: [closed, kmsg, nothing] });
  const list = () => value(one.path, 'devices', 'devices.list').split('\n');
  expect(list()).toContain('c 1:11 rw');
  spawnSync('mkdir', [`${v1Directory(hierarchies(), 'devices', one.path)}/inner`]);
  update(one.path, { devices: [closed, nothing, { allow: true, type: 'b', major: 7, access: 'r' }] });
  expect(list()).not.toContain('c 1:11 rw');
  expect(list()).toEqual(expect.arrayContaining(['c 1:3 rwm', 'b 7:* r', 'c 136:* rwm', 'c *:* m']));
});

test.skipIf(!isUsable || !v2Alone)('v2: the new filter takes the place of the old one', async () => {
  await using one = await container('filter', { devices: [closed, nothing] }, v2Alone!);
  const reads = () => {
    const script = 'echo 0 > "$0/cgroup.procs"; (: < /dev/kmsg) 2> /dev/null && echo yes || echo no';
    return spawnSync('sh', ['-c', script, v2Alone!.v2!.path + one.path], { encoding: 'utf8' }).stdout.trim();
  };
  const replace = (devices: DeviceRule[]) => updateCgroups(one.path, { devices }, v2Alone!, verbs);
  expect(reads()).toBe('no');
  replace([closed, nothing, kmsg]);
  expect(reads()).toBe('yes');
  replace([closed, nothing, kmsg]);
  replace([closed, nothing]);
  expect(reads()).toBe('no');
});

test.skipIf(!isUsable)('what nothing here can keep is refused before anything is written', async () => {
  await using one = await container('refused', { pids: { limit: 30 } });
  const resources: Resources = { pids: { limit: 40 }, rdma: { mlx5: { hcaHandles: 1 } } };
  expect(() => update(one.path, resources)).toThrow(
    expect.objectContaining({ code: 'host.kernel-feature', resource: 'linux.resources.rdma' }),
  );
  if (hasV1('pids')) expect(value(one.path, 'pids', 'pids.max')).toBe('30');
  expect(() => update('/stack-test-none', {})).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
});
