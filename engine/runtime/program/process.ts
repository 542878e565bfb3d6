/** A process of config.json as steps: the first one of a container, or one that enters a running container. */
import type { NamespaceType, Process, RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { capabilityMask } from '../capabilities.ts';
import type { Step } from './encoder.ts';
import { type CgroupMount, isMapped, type SourcePlaces, sourceSteps } from './mounts.ts';
import { type HandedNamespaces, isStaged, namespaceFlags, planNamespaces } from './namespaces.ts';
import { changeRootSteps, type Overlay, overlayStep, type RootFilesystem, rootSteps } from './root.ts';
import { affinityStep, memoryPolicySteps, rlimitSteps, schedulingSteps } from './scheduling.ts';

export type { Overlay, RootFilesystem } from './root.ts';

export interface Membership {
  /** cgroup v1 `tasks` files the process writes itself into. */
  tasks: string[];
  /** cgroup v2 directory it is born in. */
  unified?: string | undefined;
}

export interface SeccompFilter {
  /** The compiled filter of linux.seccomp, and SECCOMP_FILTER_FLAG_*. */
  filter: Uint8Array;
  flags: number;
  /** Where the descriptor of its notifications goes, with the text around the pid, which it says twice. */
  listener?: { path: string; state: readonly [string, string, string] } | undefined;
}

/** The state document around its pid, which only the process itself knows. */
export type StateText = readonly [beforePid: string, afterPid: string];

export interface HookStep {
  path: string;
  args: string[];
  env: string[];
  cwd: string;
  /** Milliseconds; 0 waits for as long as it takes. */
  timeoutMs: number;
  state: StateText;
}

/** A label of a security module, for the next exec: the file below /proc/thread-self that takes it, and what it takes. */
export interface ExecLabel {
  file: string;
  text: string;
}

export interface ContainerProcess {
  spec: RuntimeSpec;
  root: RootFilesystem;
  /** Overlays that only this process's namespace sees, for mounts to be bound from; made before the root. */
  views?: Overlay[];
  /** Binds of what lies beneath a directory, by their destination. */
  beneath?: SourcePlaces['beneath'];
  membership: Membership;
  cgroups: CgroupMount[];
  /** Index of the network namespace among the shim's descriptors; undefined where config.json alone says. */
  network: number | undefined;
  /** The same of other namespaces. */
  handed?: HandedNamespaces;
  seccomp: SeccompFilter | undefined;
  /** A small init of ours as pid 1. */
  hasInit: boolean;
  /** Hooks inside the container's namespaces: before the change of root, and once it is started. */
  hooks?: { createContainer: HookStep[]; startContainer: HookStep[] };
  /** Waits for the caller before the change of root. */
  isSynchronised?: boolean;
  /** A command that is not there is an error before the wait for the start. */
  looksUp?: boolean;
  mayPivot?: boolean;
  labels?: ExecLabel[];
  /** Name of a session keyring of its own. */
  keyring?: string;
  /** Indexes, among the shim's descriptors, of what the command gets from 3 on. */
  files?: number[];
}

/** The first process: namespaces, root file system, limits, credentials; waits for start; execs. */
export function containerSteps(request: ContainerProcess): Step[] {
  const { spec, membership, hooks } = request;
  const linux = spec.linux ?? {};
  const process = spec.process ?? { cwd: '/' };
  const staged = isStaged(linux) || (spec.mounts ?? []).some(isMapped);
  const namespaces = planNamespaces(linux, { network: request.network, ...request.handed }, staged);
  const { steps: opened, sources } = sourceSteps(spec.mounts ?? [], staged, linux, request);
  const hasUserNamespace = linux.namespaces?.some(({ type }) => type === 'user') ?? false;
  // In a user namespace nothing can be raised any more.
  const limits = [...schedulingSteps(process), ...rlimitSteps(process)];
  const start: Step[] = [['await'], ...(hooks?.startContainer ?? []).map(hookStep)];
  const isLast = holdsMore(process, request.seccomp);
  return [
    ['clone', { u64: namespaces.cloned }, membership.unified ?? ''],
    ...joinSteps(membership),
    ...oomSteps(process),
    ...memoryPolicySteps(linux.memoryPolicy),
    ...personalitySteps(linux.personality),
    ...listenerSteps(request.seccomp),
    ...opened,
    ...(hasUserNamespace ? limits : []),
    ...namespaces.steps,
    ...(request.keyring ? [['keyring', request.keyring] satisfies Step] : []),
    ...(namespaces.isNew('network') ? [['loopback'] satisfies Step] : []),
    ...(spec.hostname ? [['hostname', spec.hostname] satisfies Step] : []),
    ...(spec.domainname ? [['domainname', spec.domainname] satisfies Step] : []),
    ...(request.views ?? []).map(overlayStep),
    ...rootSteps(spec, request.root, {
      cgroups: request.cgroups,
      hasCgroupNamespace: linux.namespaces?.some(({ type }) => type === 'cgroup') ?? false,
      label: linux.mountLabel ?? '',
      sources,
    }),
    ...(hasUserNamespace ? [] : limits),
    ...terminalSteps(process, 1),
    ['session'],
    ...(request.isSynchronised ? [['sync'] satisfies Step] : []),
    ...(hooks?.createContainer ?? []).map(hookStep),
    ...changeRootSteps(spec, request.mayPivot ?? true),
    ...filesSteps(request.files),
    ...credentialSteps(process, {
      seccomp: request.seccomp,
      labels: request.labels ?? [],
      settled: spec.root?.readonly ? [['readonlyRoot']] : [],
      waiting: [...(request.looksUp ? lookUpSteps(process) : []), ...(isLast ? [] : start)],
      filtered: isLast ? start : [],
    }),
    ...(request.hasInit ? [['init'] satisfies Step] : []),
    execStep(process),
  ];
}

const lookUpSteps = ({ args: [command] = [], env = [] }: Process): Step[] =>
  command ? [['lookup', command, env]] : [];

const joinSteps = ({ tasks }: Membership): Step[] => (tasks.length > 0 ? [['joinCgroup', tasks]] : []);

const oomSteps = ({ oomScoreAdj }: Process): Step[] =>
  oomScoreAdj === undefined ? [] : [['oomScore', String(oomScoreAdj)]];

const personalitySteps = (personality: { domain: 'LINUX' | 'LINUX32' } | undefined): Step[] =>
  personality ? [['personality', { u64: personality.domain === 'LINUX32' ? 8 : 0 }]] : [];

const listenerSteps = (seccomp: SeccompFilter | undefined): Step[] =>
  seccomp?.listener ? [['listener', seccomp.listener.path]] : [];

const filesSteps = (files: number[] = []): Step[] => (files.length > 0 ? [['files', files]] : []);

function terminalSteps({ terminal, consoleSize }: Process, isConsole: 0 | 1): Step[] {
  if (!terminal) return [];
  return [['terminal', isConsole, { u16: consoleSize?.height ?? 0 }, { u16: consoleSize?.width ?? 0 }]];
}

const hookStep = ({ path, args, env, cwd, timeoutMs, state }: HookStep): Step => [
  'hook',
  path,
  args.length > 0 ? args : [path],
  env,
  cwd,
  timeoutMs,
  ...state,
];

interface Credentials {
  /** What comes once the working directory exists, which may have to be made. */
  settled: Step[];
  seccomp: SeccompFilter | undefined;
  labels: ExecLabel[];
  /** What comes between the change of credentials and the filter. */
  waiting: Step[];
  /** What comes last of all, under the filter. */
  filtered?: Step[];
}

/**
 * From root to what the process shall be. The filter comes last: what comes after it, it has to allow. Without
 * no_new_privs loading it needs CAP_SYS_ADMIN (seccomp(2)), which alone stays until then and goes with it.
 */
function credentialSteps(process: Process, { seccomp, labels, settled, waiting, filtered = [] }: Credentials): Step[] {
  const { uid = 0, gid = 0, umask = 0o022, additionalGids = [] } = process.user ?? {};
  const { effective, permitted, inheritable, ambient, bounding } = process.capabilities ?? {};
  const around = seccomp?.listener?.state ?? ['', '', ''];
  const u64 = (names: string[] | undefined) => ({ u64: capabilityMask(names) });
  const kept = seccomp && !process.noNewPrivileges ? ['CAP_SYS_ADMIN'] : [];
  return [
    ['chdir', process.cwd],
    ...settled,
    ['bounding', u64(bounding)],
    ['user', uid, gid, umask, additionalGids],
    ['capabilities', ...[effective, permitted, inheritable, ambient, kept].map(u64)],
    ...(process.noNewPrivileges ? ([['noNewPrivileges']] satisfies Step[]) : []),
    ...waiting,
    ...labelSteps(labels),
    ...(seccomp ? [['seccomp', seccomp.flags, seccomp.filter, ...around] satisfies Step] : []),
    ...filtered,
  ];
}

const labelSteps = (labels: ExecLabel[] = []): Step[] => labels.map(({ file, text }) => ['label', file, text]);

const execStep = (process: Process): Step => ['exec', process.args ?? [], process.env ?? []];

export interface ExecProcess {
  process: Process;
  membership: Membership;
  /** Types of the namespaces the container does not share with the host. */
  namespaces: string[];
  /** Index of the container's root among the shim's descriptors, where no mount namespace of its own brings it along. */
  root?: number | undefined;
  /** What the container's own processes may have. */
  container?: Capabilities | undefined;
  seccomp: SeccompFilter | undefined;
  labels?: ExecLabel[];
  keyring?: string;
  files?: number[];
}

type Capabilities = NonNullable<Process['capabilities']>;

const noDescriptor = 0xffff_ffff;

/**
 * A process that enters a running container: its cgroups, namespaces and limits, then credentials and exec. The fork into the
 * pid namespace, where the container's processes see it, comes once it has no more rights than it shall have.
 */
export function execSteps({ process, membership, namespaces, seccomp, ...more }: ExecProcess): Step[] {
  const flags = namespaces.reduce((bits, type) => bits | namespaceFlags[type as NamespaceType], 0);
  const { initial, final } = process.execCPUAffinity ?? {};
  const born: Step[] = [...(namespaces.includes('pid') ? [['fork'] satisfies Step] : []), ['session']];
  // A listener is told the pid, which is known after the birth.
  const isLast = holdsMore(process, seccomp, more.container) && !seccomp?.listener;
  return [
    ['clone', { u64: 0 }, membership.unified ?? ''],
    ...affinityStep(initial, 'initial'),
    ...joinSteps(membership),
    ...affinityStep(final, 'final'),
    ...oomSteps(process),
    ...listenerSteps(seccomp),
    ...schedulingSteps(process),
    ...rlimitSteps(process),
    // Forked processes inherit it; once inside, the host's procfs is out of reach.
    ...labelSteps(more.labels),
    ['joinContainer', flags, more.root ?? noDescriptor],
    ...terminalSteps(process, 0),
    ...(more.keyring ? [['keyring', more.keyring] satisfies Step] : []),
    ...filesSteps(more.files),
    ...credentialSteps(process, {
      seccomp,
      labels: [],
      settled: [],
      waiting: isLast ? [] : born,
      filtered: isLast ? born : [],
    }),
    execStep(process),
  ];
}

/**
 * Whether it shall be under its filter before others see it wait or be born, which the filter then has to allow (accept(2),
 * clone(2)): until it is loaded CAP_SYS_ADMIN stays, and who has CAP_SYS_PTRACE in the container could take that over.
 */
function holdsMore(process: Process, seccomp: SeccompFilter | undefined, container?: Capabilities): boolean {
  const isTraceable = [process.capabilities, container].some((sets) => sets?.bounding?.includes('CAP_SYS_PTRACE'));
  return seccomp !== undefined && !process.noNewPrivileges && isTraceable;
}
