import { expect, test } from 'vitest';
import type { z } from 'zod';
import { runtimeSpec } from './oci-runtime.schema.ts';
import type { RuntimeSpec } from './oci-runtime.ts';

/** Without the `[other: string]: unknown` of loose objects, interfaces spelled out, `undefined` told by `?` alone. */
type Normal<T> = T extends (infer Item)[]
  ? Normal<Item>[]
  : T extends object
    ? {
        [Key in keyof T as string extends Key ? (unknown extends T[Key] ? never : Key) : Key]: Normal<
          Exclude<T[Key], undefined>
        >;
      }
    : T;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Validated = Normal<z.infer<typeof runtimeSpec>>;
type Typed = Normal<RuntimeSpec>;

test('the types and the validator say the same', () => {
  // These compile only while they do.
  const isSame: [
    process: Same<Validated['process'], Typed['process']>,
    resources: Same<NonNullable<Validated['linux']>['resources'], NonNullable<Typed['linux']>['resources']>,
    linux: Same<Validated['linux'], Typed['linux']>,
    whole: Same<Validated, Typed>,
  ] = [true, true, true, true];
  expect(isSame).not.toContain(false);
});

test('a config.json with a bit of everything passes, unknown properties too', () => {
  const spec = {
    ociVersion: '1.3.0',
    process: {
      cwd: '/',
      args: ['sh'],
      user: { uid: 1, gid: 2, additionalGids: [3], umask: 18 },
      capabilities: { bounding: ['CAP_KILL'] },
      rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 18446744073709551615n }],
      scheduler: { policy: 'SCHED_BATCH', nice: 5 },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '0-1' },
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    hooks: { createRuntime: [{ path: '/bin/true', timeout: 5 }] },
    annotations: { a: 'b' },
    linux: {
      namespaces: [{ type: 'time' }, { type: 'network', path: '/proc/1/ns/net' }],
      timeOffsets: { boottime: { secs: -1, nanosecs: 5 } },
      netDevices: { eth5: { name: 'eth0' } },
      memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
      intelRdt: { schemata: ['L3:0=f'], enableMonitoring: true },
      resources: { devices: [{ allow: false, access: 'rwm' }], unified: { 'cpu.max': 'max' } },
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['kill'], action: 'SCMP_ACT_LOG' }] },
      personality: { domain: 'LINUX32' },
      futureThing: { x: 1 },
    },
  };
  expect(runtimeSpec.parse(spec)).toEqual(spec);
});

test.each([
  ['no version', {}],
  ['relative cwd', { ociVersion: '1', process: { cwd: 'x' } }],
  ['odd rlimit', { ociVersion: '1', process: { cwd: '/', rlimits: [{ type: 'NOFILE', soft: 1, hard: 1 }] } }],
  ['relative hook', { ociVersion: '1', hooks: { poststop: [{ path: 'true' }] } }],
  ['unknown namespace', { ociVersion: '1', linux: { namespaces: [{ type: 'net' }] } }],
  [
    'seventh argument',
    {
      ociVersion: '1',
      linux: {
        seccomp: {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['x'], action: 'SCMP_ACT_LOG', args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }],
        },
      },
    },
  ],
  ['negative uid', { ociVersion: '1', process: { cwd: '/', user: { uid: -1 } } }],
  ['odd device access', { ociVersion: '1', linux: { resources: { devices: [{ allow: true, access: 'x' }] } } }],
])('refused: %s', (_, spec) => {
  expect(runtimeSpec.safeParse(spec).success).toBe(false);
});
