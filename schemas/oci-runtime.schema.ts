/** Validators of config.json (runtime-spec v1.3, Linux). Unknown properties pass, as the specification asks (config.md, "Extensibility"). */
import * as z from 'zod';

const strings = z.array(z.string());
const uint32 = z.number().int().min(0).max(0xffffffff);
const int64 = z.union([z.number().int(), z.bigint()]);
const signed = z.number().int();
const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) => z.enum(values);

const idMapping = z.looseObject({ containerID: uint32, hostID: uint32, size: uint32 });

const hook = z.looseObject({
  path: z.string().startsWith('/', 'not an absolute path'),
  args: strings.optional(),
  env: strings.optional(),
  timeout: z.number().int().min(1, 'must be greater than zero').optional(),
});
const hooks = z.array(hook).optional();

const capabilities = z.looseObject({
  bounding: strings.optional(),
  permitted: strings.optional(),
  effective: strings.optional(),
  inheritable: strings.optional(),
  ambient: strings.optional(),
});

const process = z.looseObject({
  args: strings.optional(),
  cwd: z.string().startsWith('/', 'not an absolute path'),
  env: strings.optional(),
  terminal: z.boolean().optional(),
  consoleSize: z.looseObject({ height: uint32, width: uint32 }).optional(),
  user: z
    .looseObject({
      uid: uint32.optional(),
      gid: uint32.optional(),
      umask: uint32.optional(),
      additionalGids: z.array(uint32).optional(),
    })
    .optional(),
  capabilities: capabilities.optional(),
  noNewPrivileges: z.boolean().optional(),
  rlimits: z
    .array(z.looseObject({ type: z.string().regex(/^RLIMIT_[A-Z]+$/, 'not an rlimit'), soft: int64, hard: int64 }))
    .optional(),
  oomScoreAdj: signed.optional(),
  apparmorProfile: z.string().optional(),
  selinuxLabel: z.string().optional(),
  scheduler: z
    .looseObject({
      policy: oneOf(
        'SCHED_OTHER',
        'SCHED_FIFO',
        'SCHED_RR',
        'SCHED_BATCH',
        'SCHED_ISO',
        'SCHED_IDLE',
        'SCHED_DEADLINE',
      ),
      nice: signed.optional(),
      priority: signed.optional(),
      flags: z
        .array(
          oneOf(
            'SCHED_FLAG_RESET_ON_FORK',
            'SCHED_FLAG_RECLAIM',
            'SCHED_FLAG_DL_OVERRUN',
            'SCHED_FLAG_KEEP_POLICY',
            'SCHED_FLAG_KEEP_PARAMS',
            'SCHED_FLAG_UTIL_CLAMP_MIN',
            'SCHED_FLAG_UTIL_CLAMP_MAX',
          ),
        )
        .optional(),
      runtime: int64.optional(),
      deadline: int64.optional(),
      period: int64.optional(),
    })
    .optional(),
  ioPriority: z
    .looseObject({
      class: oneOf('IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'),
      priority: signed.optional(),
    })
    .optional(),
  execCPUAffinity: z
    .looseObject({
      initial: z
        .string()
        .regex(/^[0-9, -]*$/, 'not a CPU list')
        .optional(),
      final: z
        .string()
        .regex(/^[0-9, -]*$/, 'not a CPU list')
        .optional(),
    })
    .optional(),
});

const mount = z.looseObject({
  destination: z.string(),
  type: z.string().optional(),
  source: z.string().optional(),
  options: strings.optional(),
  uidMappings: z.array(idMapping).optional(),
  gidMappings: z.array(idMapping).optional(),
});

const throttle = z.array(z.looseObject({ major: signed, minor: signed, rate: int64.optional() })).optional();
const weight = z.number().int().min(0).max(0xffff).optional();

const resources = z.looseObject({
  devices: z
    .array(
      z.looseObject({
        allow: z.boolean(),
        type: oneOf('a', 'b', 'c').optional(),
        major: signed.optional(),
        minor: signed.optional(),
        access: z
          .string()
          .regex(/^[rwm]*$/, 'not some of rwm')
          .optional(),
      }),
    )
    .optional(),
  memory: z
    .looseObject({
      limit: int64.optional(),
      reservation: int64.optional(),
      swap: int64.optional(),
      kernel: int64.optional(),
      kernelTCP: int64.optional(),
      swappiness: uint32.optional(),
      disableOOMKiller: z.boolean().optional(),
      useHierarchy: z.boolean().optional(),
      checkBeforeUpdate: z.boolean().optional(),
    })
    .optional(),
  cpu: z
    .looseObject({
      shares: signed.optional(),
      quota: signed.optional(),
      burst: signed.optional(),
      period: signed.optional(),
      realtimeRuntime: signed.optional(),
      realtimePeriod: signed.optional(),
      cpus: z.string().optional(),
      mems: z.string().optional(),
      idle: signed.optional(),
    })
    .optional(),
  pids: z.looseObject({ limit: int64.optional() }).optional(),
  blockIO: z
    .looseObject({
      weight,
      leafWeight: weight,
      weightDevice: z.array(z.looseObject({ major: signed, minor: signed, weight, leafWeight: weight })).optional(),
      throttleReadBpsDevice: throttle,
      throttleWriteBpsDevice: throttle,
      throttleReadIOPSDevice: throttle,
      throttleWriteIOPSDevice: throttle,
    })
    .optional(),
  hugepageLimits: z
    .array(z.looseObject({ pageSize: z.string().regex(/^[1-9][0-9]*[KMG]B$/, 'not a page size'), limit: int64 }))
    .optional(),
  network: z
    .looseObject({
      classID: uint32.optional(),
      priorities: z.array(z.looseObject({ name: z.string(), priority: uint32 })).optional(),
    })
    .optional(),
  rdma: z
    .record(z.string(), z.looseObject({ hcaHandles: uint32.optional(), hcaObjects: uint32.optional() }))
    .optional(),
  unified: z.record(z.string(), z.string()).optional(),
});

const seccompAction = oneOf(
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
);

export const seccomp = z.looseObject({
  defaultAction: seccompAction,
  defaultErrnoRet: uint32.optional(),
  architectures: z.array(z.string().startsWith('SCMP_ARCH_', 'not an architecture')).optional(),
  flags: z
    .array(
      oneOf(
        'SECCOMP_FILTER_FLAG_TSYNC',
        'SECCOMP_FILTER_FLAG_LOG',
        'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
        'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
      ),
    )
    .optional(),
  listenerPath: z.string().optional(),
  listenerMetadata: z.string().optional(),
  syscalls: z
    .array(
      z.looseObject({
        names: strings.min(1),
        action: seccompAction,
        errnoRet: uint32.optional(),
        args: z
          .array(
            z.looseObject({
              index: z.number().int().min(0).max(5),
              value: int64,
              valueTwo: int64.optional(),
              op: oneOf(
                'SCMP_CMP_NE',
                'SCMP_CMP_LT',
                'SCMP_CMP_LE',
                'SCMP_CMP_EQ',
                'SCMP_CMP_GE',
                'SCMP_CMP_GT',
                'SCMP_CMP_MASKED_EQ',
              ),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

const timeOffset = z.looseObject({ secs: int64.optional(), nanosecs: uint32.optional() }).optional();

const linux = z.looseObject({
  namespaces: z
    .array(
      z.looseObject({
        type: oneOf('mount', 'pid', 'network', 'uts', 'ipc', 'user', 'cgroup', 'time'),
        path: z.string().startsWith('/', 'not an absolute path').optional(),
      }),
    )
    .optional(),
  uidMappings: z.array(idMapping).optional(),
  gidMappings: z.array(idMapping).optional(),
  timeOffsets: z.looseObject({ boottime: timeOffset, monotonic: timeOffset }).optional(),
  devices: z
    .array(
      z.looseObject({
        type: oneOf('b', 'c', 'u', 'p'),
        path: z.string(),
        major: signed.optional(),
        minor: signed.optional(),
        fileMode: z.number().int().min(0).max(0o777).optional(),
        uid: uint32.optional(),
        gid: uint32.optional(),
      }),
    )
    .optional(),
  netDevices: z.record(z.string(), z.looseObject({ name: z.string().optional() })).optional(),
  cgroupsPath: z.string().optional(),
  resources: resources.optional(),
  intelRdt: z
    .looseObject({
      closID: z.string().optional(),
      schemata: strings.optional(),
      l3CacheSchema: z.string().optional(),
      memBwSchema: z
        .string()
        .regex(/^MB:[^\n]*$/, 'not a memory bandwidth schema')
        .optional(),
      enableMonitoring: z.boolean().optional(),
    })
    .optional(),
  memoryPolicy: z
    .looseObject({
      mode: oneOf(
        'MPOL_DEFAULT',
        'MPOL_BIND',
        'MPOL_INTERLEAVE',
        'MPOL_WEIGHTED_INTERLEAVE',
        'MPOL_PREFERRED',
        'MPOL_PREFERRED_MANY',
        'MPOL_LOCAL',
      ),
      nodes: z.string().optional(),
      flags: z.array(oneOf('MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES')).optional(),
    })
    .optional(),
  sysctl: z.record(z.string(), z.string()).optional(),
  seccomp: seccomp.optional(),
  rootfsPropagation: oneOf('private', 'shared', 'slave', 'unbindable').optional(),
  maskedPaths: strings.optional(),
  readonlyPaths: strings.optional(),
  mountLabel: z.string().optional(),
  personality: z.looseObject({ domain: oneOf('LINUX', 'LINUX32'), flags: strings.optional() }).optional(),
});

export const runtimeSpec = z.looseObject({
  ociVersion: z.string(),
  process: process.optional(),
  root: z.looseObject({ path: z.string(), readonly: z.boolean().optional() }).optional(),
  hostname: z.string().optional(),
  domainname: z.string().optional(),
  mounts: z.array(mount).optional(),
  hooks: z
    .looseObject({
      prestart: hooks,
      createRuntime: hooks,
      createContainer: hooks,
      startContainer: hooks,
      poststart: hooks,
      poststop: hooks,
    })
    .optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  linux: linux.optional(),
});
