import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { completeTypes, decodeMessage, encodeMessage, marshal, unmarshal } from './dbus-wire.ts';
import { hierarchies } from './hierarchies.ts';
import { fakeSystemd, hasBus } from './systemd.fixture.ts';
import { startUnit, stopUnit, updateUnit } from './systemd-manager.ts';
import { resourceProperties } from './systemd-properties.ts';

const MiB = 1024 * 1024;
const unified = { ...hierarchies(), mode: 'unified', v1: [] } as const;
const request = { asked: 'user.slice:podman:c1', id: 'c1', pids: [process.pid] };
const all = { ...unified, v1: [] };

test('where no bus answers that is told, and what to do', async () => {
  const path = join(tmpdir(), `stack-no-bus-${process.pid}`);
  const told = {
    code: 'host.cgroup',
    message: expect.stringContaining(`no system bus answers at ${path}: ENOENT`),
    hint: expect.stringContaining('--systemd-cgroup'),
  };
  await expect(startUnit({ ...request, resources: {} }, all, path)).rejects.toMatchObject(told);
  await expect(stopUnit(request.asked, 'c1', path)).rejects.toMatchObject(told);
  const server = createServer((socket) => socket.on('data', () => socket.write('REJECTED ANONYMOUS\r\n'))).listen(path);
  try {
    await expect(startUnit({ ...request, resources: {} }, all, path)).rejects.toThrow(/refused this user: REJECTED/);
  } finally {
    server.close();
  }
});

test.skipIf(!hasBus)('a scope is started with its processes and limits, and its job waited for', async () => {
  await using systemd = await fakeSystemd();
  const resources = {
    memory: { limit: 64 * MiB, swap: 96 * MiB },
    cpu: { shares: 1024, quota: 25_000, cpus: '0,9' },
    pids: { limit: 9 },
  };
  await startUnit({ ...request, resources }, all, systemd.socketPath);
  const start = systemd.calls.find((call) => call.member === 'StartTransientUnit')!;
  expect(start.signature).toBe('ssa(sv)a(sa(sv))');
  expect(start.body.slice(0, 2)).toEqual(['podman-c1.scope', 'fail']);
  expect(Object.fromEntries(start.body[2] as [string, unknown][])).toMatchObject({
    ...{ Slice: 'user.slice', Delegate: true, PIDs: [process.pid], DefaultDependencies: false },
    ...{ MemoryMax: BigInt(64 * MiB), MemorySwapMax: BigInt(32 * MiB), CPUWeight: 100n, TasksMax: 9n },
    ...{ CPUQuotaPerSecUSec: 250_000n, AllowedCPUs: [1, 2] },
  });
  await updateUnit(request.asked, 'c1', { memory: { limit: -1 } }, all, systemd.socketPath);
  const update = systemd.calls.find((call) => call.member === 'SetUnitProperties')!;
  expect(update.body).toEqual(['podman-c1.scope', true, [['MemoryMax', 2n ** 64n - 1n]]]);
  await stopUnit(request.asked, 'c1', systemd.socketPath);
  expect(systemd.calls.map((call) => call.member)).toEqual([
    ...['Subscribe', 'StartTransientUnit', 'Subscribe', 'SetUnitProperties'],
    ...['Subscribe', 'StopUnit', 'ResetFailedUnit'],
  ]);
});

test.skipIf(!hasBus)('a unit of the name that failed before is forgotten first; other refusals are told', async () => {
  let isKnown = true;
  await using systemd = await fakeSystemd(({ member }) => {
    if (member === 'ResetFailedUnit') isKnown = false;
    if (member === 'StartTransientUnit' && isKnown) return { error: 'org.freedesktop.systemd1.UnitExists' };
    return member === 'StopUnit' ? { error: 'org.freedesktop.systemd1.NoSuchUnit' } : {};
  });
  await startUnit({ ...request, resources: {} }, all, systemd.socketPath);
  await stopUnit(request.asked, 'c1', systemd.socketPath);
  await using bad = await fakeSystemd(({ member }) =>
    member === 'StartTransientUnit' ? { result: 'failed' } : { error: 'org.freedesktop.DBus.Error.AccessDenied' },
  );
  await expect(stopUnit(request.asked, 'c1', bad.socketPath)).rejects.toMatchObject({
    code: 'host.cgroup',
    message: expect.stringMatching(/stop podman-c1.scope.*AccessDenied/),
  });
  await using failing = await fakeSystemd(() => ({ result: 'failed' }));
  await expect(startUnit({ ...request, resources: {} }, all, failing.socketPath)).rejects.toThrow(
    /start podman-c1.scope.*failed/,
  );
});

test('properties: v1 names, open and closed devices, rounding up', () => {
  const of = (resources: Parameters<typeof resourceProperties>[0], isUnified = false) =>
    resourceProperties(resources, isUnified).map(([name, { value }]) => [name, value]);
  expect(of({ memory: { limit: 5 }, cpu: { shares: 7, quota: 12_345, period: 50_000 }, pids: { limit: -1 } })).toEqual([
    ['MemoryLimit', 5n],
    ['CPUShares', 7n],
    ['CPUQuotaPeriodUSec', 50_000n],
    ['CPUQuotaPerSecUSec', 250_000n],
    ['TasksMax', 2n ** 64n - 1n],
  ]);
  expect(of({ devices: [{ allow: true }] })).toEqual([
    ['DevicePolicy', 'auto'],
    ['DeviceAllow', []],
  ]);
  const closed = of({ devices: [{ allow: false }, { allow: true, type: 'b', major: 8, minor: 0, access: 'r' }] });
  expect(closed[2]![1]).toEqual(
    expect.arrayContaining([
      ['/dev/block/8:0', 'r'],
      ['char-*', 'm'],
      ['char-136', 'rwm'],
    ]),
  );
});

test('messages are read as they were written', () => {
  expect(completeTypes('sa(sv)a{sv}aaiu(y(bt))')).toEqual(['s', 'a(sv)', 'a{sv}', 'aai', 'u', '(y(bt))']);
  // Specification: an array of one UINT64 has its length, padding to 8 and the value.
  expect([...marshal('at', [[5n]])]).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
  const entry = fc.tuple(fc.string(), fc.bigInt(0n, 2n ** 64n - 1n), fc.array(fc.integer({ min: 0, max: 255 })));
  fc.assert(
    fc.property(fc.array(entry), fc.nat(), (entries, serial) => {
      const text = entries.map(([name, number, bytes]) => [name.replaceAll('\0', ''), number, bytes]);
      const body = [text, serial > 9];
      expect(unmarshal('a(stay)b', Buffer.from(marshal('a(stay)b', body))).values).toEqual(body);
      const message = { type: 'signal' as const, serial: serial + 1, path: '/a', interface: 'b.c', member: 'D' };
      const bytes = Buffer.from(encodeMessage({ ...message, signature: 'a(stay)b', body }));
      expect(decodeMessage(bytes.subarray(0, bytes.length - 1))).toBeNull();
      expect(decodeMessage(bytes)).toEqual({
        message: { ...message, signature: 'a(stay)b', body },
        length: bytes.length,
      });
    }),
  );
});
