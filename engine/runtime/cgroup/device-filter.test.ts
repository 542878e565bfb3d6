import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKernel } from '../../../native/index.ts';
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';
import { dockerDeviceRules, runtimeDeviceRules } from '../devices.ts';
import { hierarchies } from './cgroup.ts';
import { decide } from './device-filter.fixture.ts';
import { deviceFilter } from './device-filter.ts';

const container = [...dockerDeviceRules, ...runtimeDeviceRules];

test.each([
  ['c', 1, 3, 'rw', true],
  ['c', 1, 5, 'rwm', true],
  ['c', 136, 7, 'rw', true],
  ['c', 5, 2, 'rw', true],
  ['b', 8, 0, 'm', true],
  ['c', 10, 229, 'm', true],
  ['b', 8, 0, 'r', false],
  ['b', 8, 0, 'rm', false],
  ['c', 1, 1, 'r', false],
  ['c', 10, 229, 'rw', false],
  ['c', 10, 200, 'rw', false],
] as ['b' | 'c', number, number, string, boolean][])(
  'a container’s %s %i:%i %s: %s',
  (type, major, minor, access, is) => {
    expect(decide(container, type, major, minor, access)).toBe(is);
  },
);

test('the last rule that speaks of an access decides it; a refusal of one access does not give the others', () => {
  const rules: DeviceRule[] = [
    { allow: true, access: 'rwm' },
    { allow: false, type: 'c', major: 1, access: 'w' },
    { allow: true, type: 'c', major: 1, minor: 9, access: 'rw' },
  ];
  const c1 = (minor: number, access: string) => decide(rules, 'c', 1, minor, access);
  expect([c1(3, 'r'), c1(3, 'w'), c1(3, 'rw'), c1(9, 'rw'), c1(9, 'rwm')]).toEqual([true, false, false, true, true]);
  expect(decide(rules.with(0, { allow: false }), 'c', 1, 9, 'rwm')).toBe(false); // nobody spoke of m
  expect(decide(rules, 'b', 1, 3, 'rwm')).toBe(true);
  expect(decide([], 'c', 1, 3, 'r')).toBe(false);
  expect(decide([{ allow: true, type: 'b', major: -1, minor: 2, access: 'r' }], 'b', 9, 2, 'r')).toBe(true);
});

const { v2 } = hierarchies();
const isUsable = process.getuid?.() === 0 && v2 !== null;
if (!isUsable) console.log('skipped: device filters in the kernel need root and a mounted cgroup v2');

test.skipIf(!isUsable)('the kernel takes the program and refuses devices by it', () => {
  const { loadDeviceFilter, attachDeviceFilter } = loadKernel().process;
  const cgroup = `${v2!.path}/stack-unit-devices-${process.pid}`;
  const dir = mkdtempSync(join(tmpdir(), 'stack-devices-'));
  mkdirSync(cgroup);
  const fd = openSync(cgroup, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const program = loadDeviceFilter(deviceFilter(container));
    expect(attachDeviceFilter(fd, program)).toBe(true);
    expect(attachDeviceFilter(fd, program)).toBe(false);
    closeSync(program);
    const script = [
      'echo 0 > "$0/cgroup.procs"',
      'head -c 1 /dev/zero > /dev/null && echo zero',
      'mknod "$1/disk" b 8 0 && echo made',
      'head -c 1 "$1/disk" 2>&1',
      'mknod "$1/mem" c 1 1 && head -c 1 "$1/mem" 2>&1',
    ];
    const { stdout } = spawnSync('sh', ['-c', script.join('\n'), cgroup, dir], { encoding: 'utf8' });
    expect(stdout).toMatch(/^zero\nmade\n.*disk.*not permitted\n.*mem.*not permitted\n$/i);
  } finally {
    closeSync(fd);
    rmdirSync(cgroup);
    rmSync(dir, { recursive: true });
  }
});

test.skipIf(!isUsable)('a program the verifier refuses is told with its words', () => {
  expect(() => loadKernel().process.loadDeviceFilter(new Uint8Array(8))).toThrow(
    expect.objectContaining({ step: 'BPF_PROG_LOAD', code: 'EINVAL' }),
  );
});
