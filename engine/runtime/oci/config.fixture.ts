/** A bundle for tests of config.json: a sound document with a bit of everything, and a root to go with it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { RuntimeSpec } from '../../../schemas/oci-runtime.ts';

export const bundle = mkdtempSync(join(tmpdir(), 'stack-config-'));
mkdirSync(join(bundle, 'rootfs'));
writeFileSync(join(bundle, 'file'), '');
const clear = () => rmSync(bundle, { recursive: true, force: true });
// A worker of the test runner is ended, it does not exit; the fuzzing script has no runner.
if (process.env.VITEST) (await import('vitest')).afterAll(clear);
else process.on('exit', clear);

const hook = { path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 };

/** Every property of the specification once, none of them objectionable. */
export const sound = {
  ociVersion: '1.3.0',
  process: {
    cwd: '/',
    args: ['sh', '-c', 'true'],
    env: ['PATH=/bin'],
    terminal: true,
    consoleSize: { height: 24, width: 80 },
    user: { uid: 1, gid: 2, umask: 0o22, additionalGids: [3] },
    capabilities: {
      bounding: ['CAP_KILL', 'CAP_CHOWN'],
      permitted: ['CAP_KILL'],
      effective: ['CAP_KILL'],
      inheritable: ['CAP_KILL'],
      ambient: ['CAP_KILL'],
    },
    noNewPrivileges: true,
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 18446744073709551615n }],
    oomScoreAdj: -5,
    apparmorProfile: 'profile',
    selinuxLabel: 'label',
    scheduler: {
      policy: 'SCHED_DEADLINE',
      nice: 0,
      priority: 0,
      flags: ['SCHED_FLAG_RESET_ON_FORK'],
      runtime: 10000,
      deadline: 20000,
      period: 30000,
    },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
    execCPUAffinity: { initial: '0-1', final: '0,3' },
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'box',
  domainname: 'example',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/data',
      type: 'bind',
      source: '/srv',
      options: ['rbind', 'idmap'],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
    },
  ],
  hooks: {
    prestart: [structuredClone(hook)],
    createRuntime: [structuredClone(hook)],
    createContainer: [structuredClone(hook)],
    startContainer: [structuredClone(hook)],
    poststart: [structuredClone(hook)],
    poststop: [structuredClone(hook)],
  },
  annotations: { 'com.example.key': '' },
  linux: {
    namespaces: [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'network' },
      { type: 'uts' },
      { type: 'ipc' },
      { type: 'user' },
      { type: 'cgroup', path: '/proc/1/ns/cgroup' },
      { type: 'time' },
    ],
    uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    timeOffsets: { boottime: { secs: -5, nanosecs: 1 }, monotonic: { secs: 5, nanosecs: 0 } },
    devices: [{ type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 }],
    netDevices: { eth5: { name: 'eth0' } },
    cgroupsPath: '/a/b',
    resources: {
      devices: [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' }],
      memory: {
        limit: 1000000,
        reservation: 1,
        swap: 2000000,
        kernel: -1,
        kernelTCP: -1,
        swappiness: 60,
        disableOOMKiller: false,
        useHierarchy: true,
        checkBeforeUpdate: true,
      },
      cpu: {
        shares: 1024,
        quota: 1000,
        burst: 500,
        period: 100000,
        realtimeRuntime: 1,
        realtimePeriod: 2,
        cpus: '0-1',
        mems: '0',
        idle: 0,
      },
      pids: { limit: 100 },
      blockIO: {
        weight: 500,
        leafWeight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 1 }],
        throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 1 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 1 }],
      },
      hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
      network: { classID: 1, priorities: [{ name: 'eth0', priority: 1 }] },
      rdma: { mlx5_1: { hcaHandles: 1, hcaObjects: 1 } },
      unified: { 'cpu.max': 'max' },
    },
    intelRdt: {
      closID: 'group',
      schemata: ['L2:0=f'],
      l3CacheSchema: 'L3:0=f',
      memBwSchema: 'MB:0=20',
      enableMonitoring: true,
    },
    memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
    sysctl: { 'net.core.somaxconn': '256', 'kernel/msgmax': '1', 'fs.mqueue.msg_max': '10' },
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/run/agent.sock',
      listenerMetadata: 'metadata',
      syscalls: [
        {
          names: ['socket'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 22,
          args: [{ index: 0, value: 18446744073709551615n, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }],
        },
        { names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' },
      ],
    },
    rootfsPropagation: 'slave',
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
    mountLabel: 'label',
    personality: { domain: 'LINUX', flags: [] },
  },
} satisfies RuntimeSpec;

/** `linux.devices[0].path` set to `value`, in a copy of the sound document; undefined removes it. */
export function changed(...changes: [path: string, value: unknown][]): object {
  const spec = structuredClone(sound);
  for (const [path, value] of changes) {
    const keys = path.split(/[.[\]]+/).filter(Boolean);
    const last = keys.pop()!;
    let holder = spec as unknown as Record<string, unknown>;
    for (const key of keys) holder = holder[key] as Record<string, unknown>;
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  }
  return spec;
}

/** Runs it and gives the StackError it throws; anything else thrown fails the test. */
export function refusal(run: () => unknown): StackError {
  try {
    run();
  } catch (error) {
    if (error instanceof StackError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
