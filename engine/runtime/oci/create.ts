/** create: a bundle becomes a container that waits for its start. Source: runtime-spec runtime.md "Lifecycle" steps 2 to 5. */
import { realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { StackError } from '../../../schemas/errors.ts';
import type { KernelPort } from '../../../schemas/kernel.ts';
import type { RuntimeSpec } from '../../../schemas/oci-runtime.ts';
import { refuseOccupied } from '../cgroup/cgroup.ts';
import { resolveCgroupsPath } from '../cgroup/path.ts';
import type { Launched } from '../launcher.ts';
import { hasMountNamespace } from '../program/root.ts';
import { checkConfig, readConfig } from './config.ts';
import { checkConsole, sendTerminal } from './console.ts';
import { destroyAfter } from './destroy.ts';
import { setUpError, warningText } from './failure.ts';
import { runHooks } from './hooks.ts';
import { launch } from './launch.ts';
import { mountsAt } from './mount-point.ts';
import { moveNetDevices } from './net-devices.ts';
import { joinResctrl } from './resctrl.ts';
import { type CgroupManager, type ContainerState, document, processStat, type States } from './state.ts';

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
    if (state.cgroupsPath) refuseOccupied(state.cgroupsPath);
    if (state.cgroupManager === 'systemd') {
      release = await (await import('./unit.ts')).holdUnit(state, spec.linux?.resources ?? {});
      states.write(state);
    }
    states.ownCgroup(state);
    launched = await launch(runtime, state, spec, directory, options);
    await follow(runtime, state, spec, launched, options);
    state.isCreated = true;
    states.write(state);
    return { state, spec, launched };
  } catch (error) {
    launched?.close();
    throw await destroyAfter(error, runtime, state);
  } finally {
    release?.();
  }
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
    owner: ownName(),
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

function know(states: States, state: ContainerState, pid: number): void {
  state.pid = pid;
  state.startTime = processStat(pid)?.startTime ?? 0;
  states.write(state);
}

/** The number of a user that the machine has no name for. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}
