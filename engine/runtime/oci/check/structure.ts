/** The shape of config.json: runtime-spec v1.3 config.md, for Linux. See shape.ts for why not zod. */
import {
  absolute,
  choice,
  exact,
  flag,
  integer,
  list,
  map,
  matching,
  object,
  strings,
  text,
  uint32,
  uint64,
} from './shape.ts';
import { idMappings, linuxShape } from './structure-linux.ts';

const hooks = list(
  object({
    'path!': absolute,
    args: strings,
    env: strings,
    timeout: integer(1, Number.MAX_SAFE_INTEGER),
  }),
);

const cpuList = matching(/^[0-9, -]*$/, 'must be a list of CPUs such as 0-3,7');

export const processShape = object({
  args: strings,
  'cwd!': absolute,
  env: strings,
  terminal: flag,
  consoleSize: object({ 'height!': uint32, 'width!': uint32 }),
  user: object({ uid: uint32, gid: uint32, umask: uint32, additionalGids: list(uint32) }),
  capabilities: object({
    bounding: strings,
    permitted: strings,
    effective: strings,
    inheritable: strings,
    ambient: strings,
  }),
  noNewPrivileges: flag,
  rlimits: list(
    object({
      'type!': matching(/^RLIMIT_[A-Z]+$/, 'must be a limit such as RLIMIT_NOFILE'),
      'soft!': uint64,
      'hard!': uint64,
    }),
  ),
  oomScoreAdj: exact,
  apparmorProfile: text,
  selinuxLabel: text,
  scheduler: object({
    'policy!': choice([
      ...['SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', 'SCHED_ISO', 'SCHED_IDLE', 'SCHED_DEADLINE'],
    ]),
    nice: exact,
    priority: exact,
    flags: list(
      choice([
        ...['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN', 'SCHED_FLAG_KEEP_POLICY'],
        ...['SCHED_FLAG_KEEP_PARAMS', 'SCHED_FLAG_UTIL_CLAMP_MIN', 'SCHED_FLAG_UTIL_CLAMP_MAX'],
      ]),
    ),
    runtime: uint64,
    deadline: uint64,
    period: uint64,
  }),
  ioPriority: object({
    'class!': choice(['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']),
    priority: exact,
  }),
  execCPUAffinity: object({ initial: cpuList, final: cpuList }),
});

export const configShape = object({
  'ociVersion!': text,
  process: processShape,
  root: object({ 'path!': text, readonly: flag }),
  hostname: text,
  domainname: text,
  mounts: list(
    object({
      'destination!': text,
      type: text,
      source: text,
      options: strings,
      uidMappings: idMappings,
      gidMappings: idMappings,
    }),
  ),
  hooks: object({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  }),
  annotations: map(text),
  linux: linuxShape,
});
