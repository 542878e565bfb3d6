/** exec: a further process in a running container. */
import { closeSync, readFileSync, readlinkSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { NamespaceType, Process } from '../../../schemas/oci-runtime.ts';
import { cgroupPlan, hierarchies } from '../cgroup/cgroup.ts';
import { type Launched, launchProcess } from '../launcher.ts';
import { execSteps, type Membership } from '../program/process.ts';
import { readSpec } from '../spec-json.ts';
import { checkConsole, sendTerminal } from './console.ts';
import { type Runtime, seccompOf, warningText } from './create.ts';
import { setUpError } from './failure.ts';
import { givenFiles } from './files.ts';
import { withHome } from './home.ts';
import { execLabels } from './labels.ts';
import { wrongStatus } from './start.ts';
import type { ContainerState } from './state.ts';

export interface ExecOptions {
  consoleSocket?: string | undefined;
  preserveFds?: number | undefined;
  isDetached: boolean;
  /** Below the container's own, `/sub`. */
  cgroup?: string | undefined;
  onTerminal?(fd: number): void;
}

/** Resolves once the process has executed. @throws state.status, and what kept it from executing. */
export async function exec(runtime: Runtime, id: string, asked: Process, options: ExecOptions): Promise<Launched> {
  const { states, kernel } = runtime;
  const state = states.read(id);
  const status = states.status(state);
  if (status !== 'running' && status !== 'created') throw wrongStatus(id, status, 'entered', 'created or running');
  const process = { ...asked, env: withHome(kernel, asked, `/proc/${state.pid}/root`) };
  checkConsole(process.terminal ?? false, options.consoleSocket, options.isDetached);
  const spec = readSpec(states.config(id), `${id}/config.json`);
  const given = givenFiles(process, options.preserveFds ?? 0, runtime.environment);
  const container = kernel.process.pidfdOpen(state.pid);
  try {
    const steps = execSteps({
      process: { ...process, env: given.env },
      membership: membershipOf(state, options.cgroup),
      namespaces: foreignNamespaces(state.pid),
      seccomp: seccompOf(state, spec.linux?.seccomp, 'running'),
      labels: execLabels(process),
      keyring: `_ses.${id}`,
      files: given.files,
    });
    const launched = await launchProcess(kernel.process, {
      steps,
      fds: [...given.fds, container],
      stdio: given.stdio,
      container: given.fds.length,
      waits: !options.isDetached,
    });
    await follow(runtime, id, launched, options);
    return launched;
  } finally {
    closeSync(container);
  }
}

async function follow(runtime: Runtime, id: string, launched: Launched, options: ExecOptions): Promise<void> {
  for (;;) {
    const event = await launched.next();
    switch (event?.kind) {
      case 'started':
        return;
      case 'terminal':
        if (options.consoleSocket) sendTerminal(runtime.kernel.process, options.consoleSocket, event.fd);
        else options.onTerminal?.(event.fd);
        break;
      case 'warning':
        runtime.warn(warningText(event.warning));
        break;
      case 'failed':
        launched.close();
        throw setUpError(id, event.failure);
      default:
        throw new StackError('runtime.exited', {
          message: `The process in ${id} ended before it executed.`,
          hint: 'Was it killed, by a memory limit perhaps? The kernel log (dmesg) tells.',
          resource: `container ${id}`,
        });
    }
  }
}

const files: Record<string, NamespaceType> = {
  cgroup: 'cgroup',
  ipc: 'ipc',
  mnt: 'mount',
  net: 'network',
  pid: 'pid',
  time: 'time',
  user: 'user',
  uts: 'uts',
};

/** Namespaces of a process that are not this one's: setns(2) refuses the user namespace one is in already. */
export function foreignNamespaces(pid: number): NamespaceType[] {
  const link = (of: number | 'self', name: string) => {
    try {
      return readlinkSync(`/proc/${of}/ns/${name}`);
    } catch {
      return '';
    }
  };
  return Object.entries(files)
    .filter(([name]) => link(pid, name) !== link('self', name))
    .map(([, type]) => type);
}

/**
 * The container's own cgroups; on v2 the one its first process is in now, where that has moved: a cgroup that has children
 * may hold no processes (cgroups(7), "no internal processes").
 */
function membershipOf(state: ContainerState, below = ''): Membership {
  if (below.split('/').includes('..')) {
    throw new StackError('usage', {
      message: `--cgroup ${below}: \`..\` components are not allowed; it must lead to a cgroup below the container's own.`,
      hint: "Name one that the container has made, relative to the container's own.",
    });
  }
  if (!state.cgroupsPath) return { tasks: [] };
  const path = state.cgroupsPath + (below && !below.startsWith('/') ? `/${below}` : below);
  const { tasks, unified } = cgroupPlan({}, hierarchies(), path);
  if (!unified || below) return { tasks, unified: unified ?? undefined };
  const now = /^0::(.*)$/m.exec(readFileSync(`/proc/${state.pid}/cgroup`, 'utf8'))?.[1];
  const isInside = now?.startsWith(`${path}/`);
  return { tasks, unified: isInside ? hierarchies().v2!.path + now : unified };
}
