/** A container's first process, from config.json to the shim: its cgroups, its steps, its descriptors. */
import type { RuntimeSpec, Seccomp } from '../../../schemas/oci-runtime.ts';
import { type CgroupPlan, cgroupPlan, hierarchies, makeCgroups } from '../cgroup/cgroup.ts';
import { type Launched, launchProcess } from '../launcher.ts';
import { cgroupMounts } from '../program/cgroup-mounts.ts';
import { containerSteps, type SeccompFilter } from '../program/process.ts';
import { containerProcessState } from '../seccomp/listener.ts';
import { compileSeccomp } from '../seccomp/seccomp.ts';
import type { CreateOptions, Runtime } from './create.ts';
import { givenFiles } from './files.ts';
import { withHome } from './home.ts';
import { hookSteps } from './hooks.ts';
import { execLabels } from './labels.ts';
import { holderOf } from './mount-point.ts';
import { applyResctrl } from './resctrl.ts';
import { type ContainerState, documentText } from './state.ts';

/** @throws what the machine cannot do or have; then there may be cgroups of the container already. */
export async function launch(
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
  if (resctrl) {
    state.resctrl = resctrl;
    runtime.states.write(state);
  }
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
