/** The shape of `linux` in config.json: runtime-spec v1.3 config-linux.md. */
import {
  choice,
  exact,
  flag,
  int64,
  integer,
  list,
  map,
  matching,
  object,
  strings,
  text,
  uint16,
  uint32,
  uint64,
} from './shape.ts';

export const idMappings = list(object({ 'containerID!': uint32, 'hostID!': uint32, 'size!': uint32 }));

const throttle = list(object({ 'major!': exact, 'minor!': exact, rate: uint64 }));

export const resourcesShape = object({
  devices: list(
    object({
      'allow!': flag,
      type: choice(['a', 'b', 'c']),
      major: exact,
      minor: exact,
      access: matching(/^[rwm]*$/, 'must be some of rwm'),
    }),
  ),
  memory: object({
    limit: int64,
    reservation: int64,
    swap: int64,
    kernel: int64,
    kernelTCP: int64,
    swappiness: uint32,
    disableOOMKiller: flag,
    useHierarchy: flag,
    checkBeforeUpdate: flag,
  }),
  cpu: object({
    shares: exact,
    quota: exact,
    burst: exact,
    period: exact,
    realtimeRuntime: exact,
    realtimePeriod: exact,
    cpus: text,
    mems: text,
    idle: exact,
  }),
  pids: object({ limit: int64 }),
  blockIO: object({
    weight: uint16,
    leafWeight: uint16,
    weightDevice: list(object({ 'major!': exact, 'minor!': exact, weight: uint16, leafWeight: uint16 })),
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
  }),
  hugepageLimits: list(
    object({ 'pageSize!': matching(/^[1-9][0-9]*[KMG]B$/, 'must be a page size such as 2MB'), 'limit!': uint64 }),
  ),
  network: object({ classID: uint32, priorities: list(object({ 'name!': text, 'priority!': uint32 })) }),
  rdma: map(object({ hcaHandles: uint32, hcaObjects: uint32 })),
  unified: map(text),
});

const action = choice([
  ...['SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP', 'SCMP_ACT_ERRNO'],
  ...['SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_NOTIFY'],
]);

const seccomp = object({
  'defaultAction!': action,
  defaultErrnoRet: uint32,
  architectures: list(matching(/^SCMP_ARCH_/, 'must be an architecture such as SCMP_ARCH_X86_64')),
  flags: list(
    choice([
      ...['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
      'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
    ]),
  ),
  listenerPath: text,
  listenerMetadata: text,
  syscalls: list(
    object({
      'names!': list(text, 1),
      'action!': action,
      errnoRet: uint32,
      args: list(
        object({
          'index!': integer(0, 5),
          'value!': uint64,
          valueTwo: uint64,
          'op!': choice([
            ...['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT'],
            'SCMP_CMP_MASKED_EQ',
          ]),
        }),
      ),
    }),
  ),
});

const timeOffset = object({ secs: int64, nanosecs: uint32 });

export const linuxShape = object({
  namespaces: list(
    object({
      'type!': choice(['mount', 'pid', 'network', 'uts', 'ipc', 'user', 'cgroup', 'time']),
      path: { kind: 'string', pattern: /^\//, otherwise: 'must be an absolute path', isAbsentWhenEmpty: true },
    }),
  ),
  uidMappings: idMappings,
  gidMappings: idMappings,
  timeOffsets: object({ boottime: timeOffset, monotonic: timeOffset }),
  devices: list(
    object({
      'type!': choice(['b', 'c', 'u', 'p']),
      'path!': text,
      major: exact,
      minor: exact,
      fileMode: uint32,
      uid: uint32,
      gid: uint32,
    }),
  ),
  netDevices: map(object({ name: text })),
  cgroupsPath: text,
  resources: resourcesShape,
  intelRdt: object({
    closID: text,
    schemata: strings,
    l3CacheSchema: text,
    memBwSchema: matching(/^MB:[^\n]*$/, 'must be one line that starts with MB:'),
    enableMonitoring: flag,
  }),
  memoryPolicy: object({
    'mode!': choice([
      ...['MPOL_DEFAULT', 'MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED'],
      ...['MPOL_PREFERRED_MANY', 'MPOL_LOCAL'],
    ]),
    nodes: text,
    flags: list(choice(['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'])),
  }),
  sysctl: map(text),
  seccomp,
  // podman and docker write the recursive names of mount(8); a root is always changed with all below it.
  rootfsPropagation: choice(['private', 'shared', 'slave', 'unbindable'], {
    rprivate: 'private',
    rshared: 'shared',
    rslave: 'slave',
    runbindable: 'unbindable',
  }),
  maskedPaths: strings,
  readonlyPaths: strings,
  mountLabel: text,
  personality: object({ 'domain!': choice(['LINUX', 'LINUX32']), flags: strings }),
});
