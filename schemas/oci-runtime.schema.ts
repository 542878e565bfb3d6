/** Validators of config.json (runtime-spec v1.3, Linux). Unknown properties pass, as the specification asks (config.md, "Extensibility"). */
import * as z from 'zod';

/** What the kernel can be handed: it reads up to the first NUL, and half a surrogate pair has no UTF-8. */
const text = z.string().refine((value) => !value.includes('\0') && value.isWellFormed(), 'not a text');
const strings = z.array(text);
const uint32 = z.number().int().min(0).max(0xffffffff);
const int64 = z.union([
  z.number().int(),
  z
    .bigint()
    .min(-(2n ** 63n))
    .max(2n ** 63n - 1n),
]);
const uint64 = z.union([
  z.number().int().min(0),
  z
    .bigint()
    .min(0n)
    .max(2n ** 64n - 1n),
]);
const signed = z.number().int();
const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) => z.enum(values);

const idMapping = z.looseObject({ containerID: uint32, hostID: uint32, size: uint32 });

const hook = z.looseObject({
  path: text.startsWith('/', 'not an absolute path'),
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
  cwd: text.startsWith('/', 'not an absolute path'),
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
    .array(z.looseObject({ type: text.regex(/^RLIMIT_[A-Z]+$/, 'not an rlimit'), soft: uint64, hard: uint64 }))
    .optional(),
  oomScoreAdj: signed.optional(),
  apparmorProfile: text.optional(),
  selinuxLabel: text.optional(),
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
      runtime: uint64.optional(),
      deadline: uint64.optional(),
      period: uint64.optional(),
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
  destination: text,
  type: text.optional(),
  source: text.optional(),
  options: strings.optional(),
  uidMappings: z.array(idMapping).optional(),
  gidMappings: z.array(idMapping).optional(),
});

const throttle = z.array(z.looseObject({ major: signed, minor: signed, rate: uint64.optional() })).optional();
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
      cpus: text.optional(),
      mems: text.optional(),
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
    .array(z.looseObject({ pageSize: text.regex(/^[1-9][0-9]*[KMG]B$/, 'not a page size'), limit: uint64 }))
    .optional(),
  network: z
    .looseObject({
      classID: uint32.optional(),
      priorities: z.array(z.looseObject({ name: text, priority: uint32 })).optional(),
    })
    .optional(),
  rdma: z.record(text, z.looseObject({ hcaHandles: uint32.optional(), hcaObjects: uint32.optional() })).optional(),
  unified: z.record(text, text).optional(),
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
  architectures: z.array(text.startsWith('SCMP_ARCH_', 'not an architecture')).optional(),
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
  listenerPath: text.optional(),
  listenerMetadata: text.optional(),
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
              value: uint64,
              valueTwo: uint64.optional(),
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
        path: text.startsWith('/', 'not an absolute path').optional(),
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
        path: text,
        major: signed.optional(),
        minor: signed.optional(),
        // Callers write the bits of the file's kind, too.
        fileMode: uint32.optional(),
        uid: uint32.optional(),
        gid: uint32.optional(),
      }),
    )
    .optional(),
  netDevices: z.record(text, z.looseObject({ name: text.optional() })).optional(),
  cgroupsPath: text.optional(),
  resources: resources.optional(),
  intelRdt: z
    .looseObject({
      closID: text.optional(),
      schemata: strings.optional(),
      l3CacheSchema: text.optional(),
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
      nodes: text.optional(),
      flags: z.array(oneOf('MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES')).optional(),
    })
    .optional(),
  sysctl: z.record(text, text).optional(),
  seccomp: seccomp.optional(),
  rootfsPropagation: oneOf('private', 'shared', 'slave', 'unbindable').optional(),
  maskedPaths: strings.optional(),
  readonlyPaths: strings.optional(),
  mountLabel: text.optional(),
  personality: z.looseObject({ domain: oneOf('LINUX', 'LINUX32'), flags: strings.optional() }).optional(),
});

export const runtimeSpec = z.looseObject({
  ociVersion: text,
  process: process.optional(),
  root: z.looseObject({ path: text, readonly: z.boolean().optional() }).optional(),
  hostname: text.optional(),
  domainname: text.optional(),
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
  annotations: z.record(text, text).optional(),
  linux: linux.optional(),
});
