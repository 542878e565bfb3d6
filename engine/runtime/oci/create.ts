/** create: a bundle becomes a container that waits for its start. Source: runtime-spec runtime.md "Lifecycle" steps 2 to 5. */
import { readFileSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { asStackError, StackError } from '../../../schemas/errors.ts';
import type { KernelPort } from '../../../schemas/kernel.ts';
import type { Hooks, RuntimeSpec, Seccomp } from '../../../schemas/oci-runtime.ts';
import {
  type CgroupPlan,
  cgroupPlan,
  hierarchies,
  makeCgroups,
  removeCgroups,
  removeStackCgroups,
} from '../cgroup/cgroup.ts';
import { resolveCgroupsPath, runtimeParent } from '../cgroup/path.ts';
import type { ShimFailure } from '../control.ts';
import { type Launched, launchProcess } from '../launcher.ts';
import { cgroupMounts } from '../program/cgroup-mounts.ts';
import { containerSteps, type SeccompFilter } from '../program/process.ts';
import { hasMountNamespace } from '../program/root.ts';
import { containerProcessState } from '../seccomp/listener.ts';
import { compileSeccomp } from '../seccomp/seccomp.ts';
import { checkConfig, readConfig } from './config.ts';
import { checkConsole, sendTerminal } from './console.ts';
import { setUpError } from './failure.ts';
import { givenFiles } from './files.ts';
import { withHome } from './home.ts';
import { hookSteps, runHooks } from './hooks.ts';
import { execLabels } from './labels.ts';
import { moveNetDevices } from './net-devices.ts';
import { applyResctrl, joinResctrl, removeResctrl } from './resctrl.ts';
import { type CgroupManager, type ContainerState, document, documentText, processStat, type States } from './state.ts';

export interface Runtime {
  kernel: KernelPort;
  states: States;
  cgroupManager: CgroupManager;
  /** LISTEN_FDS and its kind. */
  environment: NodeJS.ProcessEnv;
  warn(message: string): void;
}

export interface CreateOptions {
  bundle: string;
  /** Instead of the bundle's config.json. */
  config?: string | undefined;
  consoleSocket?: string | undefined;
  preserveFds?: number | undefined;
  noPivot?: boolean | undefined;
  /** `run` in the foreground: the shim stays to tell how the process ended. */
  waits?: boolean;
  isDetached: boolean;
  /** `run` starts it itself: no socket is left for `start`. */
  startsItself?: boolean;
  /** Takes the terminal where no socket does. */
  onTerminal?(fd: number): void;
}

export interface Created {
  state: ContainerState;
  spec: RuntimeSpec;
  launched: Launched;
}

/** @throws a StackError; then nothing of the container is left. */
export async function create(runtime: Runtime, id: string, options: CreateOptions): Promise<Created> {
  const { states } = runtime;
  const bundle = resolve(options.bundle);
  const text = readConfig(resolve(bundle, options.config ?? 'config.json'));
  const { spec, warnings } = checkConfig(text, bundle);
  for (const warning of warnings) runtime.warn(warning);
  checkConsole(spec.process?.terminal ?? false, options.consoleSocket, options.isDetached);
  const state = newState(runtime, id, bundle, spec);
  const directory = states.reserve(id, text);
  let launched: Launched | undefined;
  let release: (() => void) | undefined;
  try {
    // Before anything is made: killed half way, it leaves what `delete --force` finds and takes away.
    states.write(state);
    if (state.cgroupManager === 'systemd') {
      release = await (await import('./unit.ts')).holdUnit(state, spec.linux?.resources ?? {});
    }
    launched = await launch(runtime, state, spec, directory, options);
    await follow(runtime, state, spec, launched, options);
    return { state, spec, launched };
  } catch (error) {
    launched?.close();
    await undo(runtime, state).catch((further) => addFurther(error, further));
    throw error;
  } finally {
    release?.();
  }
}

/** What fails in the cleaning up does not hide what failed first. */
function addFurther(error: unknown, further: unknown): void {
  if (error instanceof StackError) error.also.push(asStackError(further));
}

function newState(runtime: Runtime, id: string, bundle: string, spec: RuntimeSpec): ContainerState {
  const rootfs = realpathSync(resolve(bundle, spec.root?.path ?? 'rootfs'));
  const isMountedOutside = !hasMountNamespace(spec);
  return {
    ociVersion: spec.ociVersion,
    id,
    pid: 0,
    startTime: 0,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    owner: userInfo().username,
    annotations: spec.annotations ?? {},
    cgroupsPath:
      runtime.cgroupManager === 'disabled'
        ? ''
        : resolveCgroupsPath(spec.linux?.cgroupsPath, id, runtime.cgroupManager),
    cgroupManager: runtime.cgroupManager,
    cgroupsAsked: spec.linux?.cgroupsPath,
    hooks: spec.hooks ?? {},
    isMountedOutside,
    ...(isMountedOutside ? { mountsBefore: mountsAt(rootfs) } : {}),
  };
}

async function launch(
  runtime: Runtime,
  state: ContainerState,
  spec: RuntimeSpec,
  directory: string,
  options: CreateOptions,
): Promise<Launched> {
  const { process: verbs } = runtime.kernel;
  const all = hierarchies();
  const plan = state.cgroupsPath ? cgroupPlan(spec.linux?.resources ?? {}, all, state.cgroupsPath) : noCgroups;
  const bare = spec.process ?? { cwd: '/' };
  const process = { ...bare, env: withHome(runtime.kernel, bare, state.rootfs) };
  const given = givenFiles(process, options.preserveFds ?? 0, runtime.environment);
  const steps = containerSteps({
    spec: { ...spec, process: { ...process, env: given.env } },
    root: {
      directory: state.rootfs,
      // Looked up where it is asked for: a machine may have thousands of mounts.
      get holder() {
        return holderOf(state.rootfs);
      },
    },
    membership: { tasks: plan.tasks, unified: plan.unified ?? undefined },
    cgroups: cgroupMounts(all, state.cgroupsPath),
    network: undefined,
    seccomp: seccompOf(state, spec.linux?.seccomp, 'creating'),
    hasInit: false,
    hooks: {
      createContainer: hookSteps(state.hooks.createContainer, state.bundle, documentText(state, 'created')),
      startContainer: hookSteps(state.hooks.startContainer, '/', documentText(state, 'created')),
    },
    isSynchronised: needsSync(spec),
    looksUp: true,
    mayPivot: !options.noPivot,
    labels: execLabels(process),
    keyring: `_ses.${state.id}`,
    files: given.files,
  });
  makeCgroups(plan, verbs);
  const resctrl = applyResctrl(state.id, spec.linux?.intelRdt);
  if (resctrl) state.resctrl = resctrl;
  return launchProcess(verbs, {
    steps,
    fds: given.fds,
    stdio: given.stdio,
    waits: options.waits ?? false,
    ...(options.startsItself ? {} : { startDirectory: directory }),
  });
}

const noCgroups: CgroupPlan = {
  directories: [],
  parents: [],
  writes: [],
  tasks: [],
  unified: null,
  deviceFilter: null,
};

const needsSync = ({ hooks = {}, linux = {} }: RuntimeSpec) =>
  Boolean(hooks.prestart?.length || hooks.createRuntime?.length || Object.keys(linux.netDevices ?? {}).length);

/** Of every mount of this mount namespace, covered ones too: where it is (proc_pid_mountinfo(5)). */
const mountPoints = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));

/** How many mounts lie on one another at a directory. */
const mountsAt = (directory: string) => mountPoints().filter((point) => point === directory).length;

/** The mount that holds a directory: the longest mount point above it. */
function holderOf(directory: string): string {
  return mountPoints()
    .filter((point) => directory === point || directory.startsWith(point === '/' ? '/' : `${point}/`))
    .reduce((longest, point) => (point.length > longest.length ? point : longest), '/');
}

/** The filter, and who is told of what it leaves to a listener. @param status of the container, as the listener shall read it. */
export function seccompOf(
  state: ContainerState,
  seccomp: Seccomp | undefined,
  status: 'creating' | 'running',
): SeccompFilter | undefined {
  if (!seccomp) return undefined;
  const compiled = compileSeccomp(seccomp);
  const { listenerPath, listenerMetadata } = seccomp;
  if (!listenerPath || !compiled.isNotifying) return compiled;
  const { id, bundle, annotations } = state;
  const told = containerProcessState({ id, status, bundle, annotations, metadata: listenerMetadata });
  return { ...compiled, listener: { path: listenerPath, state: told } };
}

/** Until it waits for its start. */
async function follow(
  runtime: Runtime,
  state: ContainerState,
  spec: RuntimeSpec,
  launched: Launched,
  options: CreateOptions,
): Promise<void> {
  for (;;) {
    const event = await launched.next();
    // Written when it becomes known, and again where the process forked into its namespaces.
    if (launched.pid && launched.pid !== state.pid) know(runtime.states, state, launched.pid);
    switch (event?.kind) {
      case 'sync':
        await moveNetDevices(runtime.kernel, state.pid, spec.linux?.netDevices);
        await runHooks(runtime.kernel.process, 'prestart', state.hooks.prestart, document(state, 'created'));
        await runHooks(runtime.kernel.process, 'createRuntime', state.hooks.createRuntime, document(state, 'created'));
        launched.proceed();
        break;
      case 'created':
        joinResctrl(state.pid, state.id, spec.linux?.intelRdt);
        return;
      case 'terminal':
        if (options.consoleSocket) sendTerminal(runtime.kernel.process, options.consoleSocket, event.fd);
        else options.onTerminal?.(event.fd);
        break;
      case 'warning':
        runtime.warn(warningText(event.warning));
        break;
      case 'failed':
        throw setUpError(state.id, event.failure);
      default:
        throw new StackError('runtime.exited', {
          message: `The process of ${state.id} ended before it was set up.`,
          hint: 'Was it killed, by a memory limit perhaps? The kernel log (dmesg) tells.',
          resource: `container ${state.id}`,
        });
    }
  }
}

export const warningText = ({ step, errno, subject }: ShimFailure): string => `${step} ${subject}: ${errno}`;

function know(states: States, state: ContainerState, pid: number): void {
  state.pid = pid;
  state.startTime = processStat(pid)?.startTime ?? 0;
  states.write(state);
}

/** Step 12 and 13 of the lifecycle: nothing left, then the poststop hooks. */
export async function undo(runtime: Runtime, state: ContainerState): Promise<void> {
  if (state.hasUnit) await (await import('./unit.ts')).removeUnit(state);
  // '' is the top of the hierarchies, with everything of the machine in it.
  if (state.cgroupsPath) await removeCgroups(state.cgroupsPath);
  if (state.isMountedOutside) unmountRoot(runtime, state);
  removeStackCgroups(runtimeParent, '');
  removeResctrl(state.resctrl);
  runtime.states.remove(state.id);
  await poststop(runtime, state.hooks, state);
}

function unmountRoot({ kernel }: Runtime, { rootfs, mountsBefore = 0 }: ContainerState): void {
  // One bind mount, with everything that was mounted in it. It was not made where the set-up failed early: what is there
  // then is the caller's.
  if (mountsAt(rootfs) > mountsBefore) kernel.filesystem.unmount(rootfs);
}

/** A poststop hook that fails is a warning, and the others run all the same. */
export async function poststop(runtime: Runtime, hooks: Hooks, state: ContainerState): Promise<void> {
  for (const hook of hooks.poststop ?? []) {
    try {
      await runHooks(runtime.kernel.process, 'poststop', [hook], document(state, 'stopped'));
    } catch (error) {
      runtime.warn((error as Error).message);
    }
  }
}
