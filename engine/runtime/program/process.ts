/** A process of config.json as steps: the first one of a container, or one that enters a running container. */
import { StackError } from '../../../schemas/errors.ts';
import type { Process, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { capabilityMask } from '../capabilities.ts';
import { defaultDeviceLinks, defaultDevices } from '../devices.ts';
import type { Step } from './encoder.ts';
import { type CgroupMount, mountSteps, propagation } from './mounts.ts';

/** CLONE_NEW* of clone(2), by the namespace's name in config.json. */
const namespaceFlags: Record<string, number> = {
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};

/** RLIMIT_* of setrlimit(2) by number on x86-64 and arm64. */
const rlimits = [
  ...['CPU', 'FSIZE', 'DATA', 'STACK', 'CORE', 'RSS', 'NPROC', 'NOFILE', 'MEMLOCK', 'AS', 'LOCKS', 'SIGPENDING'],
  ...['MSGQUEUE', 'NICE', 'RTPRIO', 'RTTIME'],
];

export interface Membership {
  /** cgroup v1 `tasks` files the process writes itself into. */
  tasks: string[];
  /** cgroup v2 directory it is born in. */
  unified?: string | undefined;
}

export interface RootFilesystem {
  /** Absolute directories, uppermost first. */
  layers: string[];
  upper: string;
  work: string;
  /** An empty directory it is mounted on, in the process's own mount namespace. */
  target: string;
}

export interface ContainerProcess {
  spec: RuntimeSpec;
  root: RootFilesystem;
  membership: Membership;
  cgroups: CgroupMount[];
  /** Index of the network namespace among the shim's descriptors; undefined stays in the host's. */
  network: number | undefined;
  /** The compiled filter of linux.seccomp. */
  seccomp: { filter: Uint8Array; flags: number } | undefined;
  /** A small init of ours as pid 1. */
  hasInit: boolean;
}

/** The first process: namespaces, root file system, limits, credentials; waits for start; execs. */
export function containerSteps(request: ContainerProcess): Step[] {
  const { spec, membership } = request;
  const linux = spec.linux ?? {};
  const process = spec.process!;
  const own = (type: string) => linux.namespaces?.some((one) => one.type === type && !one.path) ?? false;
  const cloned = ['mount', 'uts', 'ipc', 'pid'].filter(own).reduce((bits, type) => bits | namespaceFlags[type]!, 0);
  const steps: Step[] = [['clone', { u64: cloned }, membership.unified ?? '']];
  if (membership.tasks.length > 0) steps.push(['joinCgroup', membership.tasks]);
  if (own('cgroup')) steps.push(['unshare', namespaceFlags.cgroup!]);
  if (request.network !== undefined) steps.push(['setns', request.network, namespaceFlags.network!]);
  if (own('uts') && spec.hostname) steps.push(['hostname', spec.hostname]);
  if (own('uts') && spec.domainname) steps.push(['domainname', spec.domainname]);
  steps.push(...rootSteps(request));
  steps.push(...limitSteps(process));
  if (process.terminal) steps.push(['terminal', 1, ...windowSize(process)]);
  else steps.push(['session']);
  steps.push(['pivot']);
  if (spec.root?.readonly) steps.push(['readonlyRoot']);
  steps.push(...credentialSteps(process, request.seccomp, true));
  if (request.hasInit) steps.push(['init']);
  steps.push(execStep(process));
  return steps;
}

function rootSteps({ spec, root, cgroups }: ContainerProcess): Step[] {
  const linux = spec.linux ?? {};
  const spread = propagation[`r${linux.rootfsPropagation ?? 'private'}`]!;
  const steps: Step[] = [
    // Slave first: what this namespace mounts must never reach the host.
    ['propagation', { u64: propagation.rslave! }],
    ['overlay', root.layers, root.upper, root.work, root.target, ''],
  ];
  for (const mount of spec.mounts ?? []) steps.push(...mountSteps(mount, cgroups));
  for (const { path, type, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } of [
    ...defaultDevices,
    ...(linux.devices ?? []),
  ]) {
    const kind = type === 'b' ? 0o060000 : type === 'p' ? 0o010000 : 0o020000;
    steps.push(['mknod', path, kind | fileMode, major, minor, uid, gid]);
  }
  for (const [path, target] of defaultDeviceLinks) steps.push(['symlink', target, path]);
  for (const [key, value] of Object.entries(linux.sysctl ?? {})) {
    steps.push(['sysctl', `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`, value]);
  }
  for (const path of linux.readonlyPaths ?? []) steps.push(['readonlyPath', path]);
  for (const path of linux.maskedPaths ?? []) steps.push(['mask', path]);
  if (linux.rootfsPropagation) steps.push(['propagation', { u64: spread }]);
  return steps;
}

function limitSteps(process: Process): Step[] {
  const steps: Step[] = [];
  for (const { type, soft, hard } of process.rlimits ?? []) {
    const number = rlimits.indexOf(type.replace(/^RLIMIT_/, ''));
    if (number < 0) {
      throw new StackError('config.value', { message: `Unknown resource limit ${type}.`, hint: 'See setrlimit(2).' });
    }
    steps.push(['rlimit', number, { u64: soft }, { u64: hard }, type]);
  }
  if (process.oomScoreAdj !== undefined) steps.push(['oomScore', String(process.oomScoreAdj)]);
  return steps;
}

const windowSize = (process: Process) =>
  [{ u16: process.consoleSize?.height ?? 0 }, { u16: process.consoleSize?.width ?? 0 }] as const;

/**
 * From root to what the process shall be. The filter comes last where no_new_privs lets it; without, loading it needs
 * CAP_SYS_ADMIN and so comes before the capabilities go (seccomp(2)).
 */
function credentialSteps(process: Process, seccomp: ContainerProcess['seccomp'], waits: boolean): Step[] {
  const { uid = 0, gid = 0, umask = 0o022, additionalGids = [] } = process.user ?? {};
  const sets = process.capabilities ?? {};
  const filter: Step[] = seccomp ? [['seccomp', seccomp.flags, seccomp.filter]] : [];
  const u64 = (names: string[] | undefined) => ({ u64: capabilityMask(names) });
  return [
    ['chdir', process.cwd],
    ['bounding', u64(sets.bounding)],
    ...(process.noNewPrivileges ? [] : filter),
    ['user', uid, gid, umask, additionalGids],
    ['capabilities', u64(sets.effective), u64(sets.permitted), u64(sets.inheritable), u64(sets.ambient)],
    ...(process.noNewPrivileges ? ([['noNewPrivileges']] satisfies Step[]) : []),
    ...(waits ? ([['await']] satisfies Step[]) : []),
    ...(process.noNewPrivileges ? filter : []),
  ];
}

const execStep = (process: Process): Step => ['exec', process.args ?? [], process.env ?? []];

export interface ExecProcess {
  process: Process;
  membership: Membership;
  /** Types of the namespaces the container does not share with the host. */
  namespaces: string[];
  seccomp: ContainerProcess['seccomp'];
}

/** A process that enters a running container: its cgroups, namespaces and limits, then credentials and exec. */
export function execSteps({ process, membership, namespaces, seccomp }: ExecProcess): Step[] {
  const flags = namespaces.reduce((bits, type) => bits | namespaceFlags[type]!, 0);
  return [
    ['clone', { u64: 0 }, membership.unified ?? ''],
    ...(membership.tasks.length > 0 ? ([['joinCgroup', membership.tasks]] satisfies Step[]) : []),
    ...limitSteps(process),
    ['joinContainer', flags],
    process.terminal ? (['terminal', 0, ...windowSize(process)] satisfies Step) : (['session'] satisfies Step),
    ...credentialSteps(process, seccomp, false),
    execStep(process),
  ];
}
