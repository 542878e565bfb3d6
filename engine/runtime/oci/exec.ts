/** exec: a further process in a running container. */
import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { StackError } from '../../../schemas/errors.ts';
import type { Fd, ProcessVerbs } from '../../../schemas/kernel.ts';
import type { NamespaceType, Process } from '../../../schemas/oci-runtime.ts';
import { type Launched, launchProcess } from '../launcher.ts';
import { execSteps } from '../program/process.ts';
import { readSpec } from '../spec-json.ts';
import { checkConsole, sendTerminal } from './console.ts';
import type { Runtime } from './create.ts';
import { setUpError, warningText } from './failure.ts';
import { givenFiles } from './files.ts';
import { withHome } from './home.ts';
import { execLabels } from './labels.ts';
import { seccompOf } from './launch.ts';
import { membershipOf } from './membership.ts';
import { wrongStatus } from './start.ts';
import { type ContainerState, isAlive } from './state.ts';

export interface ExecOptions {
  consoleSocket?: string | undefined;
  preserveFds?: number | undefined;
  isDetached: boolean;
  /** Below the container's own, see {@link membershipOf}. */
  cgroups?: string[] | undefined;
  onTerminal?(fd: number): void;
}

/** Resolves once the process has executed. @throws state.status, and what kept it from executing. */
export async function exec(runtime: Runtime, id: string, asked: Process, options: ExecOptions): Promise<Launched> {
  const { states, kernel } = runtime;
  const state = states.read(id);
  const status = states.status(state);
  if (status !== 'running' && status !== 'created') throw wrongStatus(id, status, 'entered', 'created or running');
  checkConsole(asked.terminal ?? false, options.consoleSocket, options.isDetached);
  const spec = readSpec(states.config(id), `${id}/config.json`);
  const { root, pidfd, namespaces } = openContainer(kernel.process, state);
  try {
    const process = { ...asked, env: withHome(kernel, asked, `/proc/self/fd/${root}`) };
    const given = givenFiles(process, options.preserveFds ?? 0, runtime.environment);
    const launched = await launchProcess(kernel.process, {
      steps: execSteps({
        process: { ...process, env: given.env },
        membership: membershipOf(state, options.cgroups),
        namespaces,
        // What another mount namespace brings along is the root of that one.
        root: namespaces.includes('mount') && !state.isMountedOutside ? undefined : given.fds.length + 1,
        container: spec.process?.capabilities,
        seccomp: seccompOf(state, spec.linux?.seccomp, 'running'),
        labels: execLabels(process),
        keyring: `_ses.${id}`,
        files: given.files,
      }),
      fds: [...given.fds, pidfd, root],
      stdio: given.stdio,
      container: given.fds.length,
      waits: !options.isDetached,
    });
    await follow(runtime, id, launched, options);
    return launched;
  } finally {
    for (const fd of [root, pidfd]) closeSync(fd);
  }
}

interface OpenContainer {
  pidfd: Fd;
  /** O_PATH: the root of its first process. */
  root: Fd;
  /** Those that are not this process's. */
  namespaces: NamespaceType[];
}

/** What leads into the container: all of the process that is recorded, none of a later one that was given its number. */
function openContainer(verbs: ProcessVerbs, state: ContainerState): OpenContainer {
  const opened: Fd[] = [];
  try {
    const pidfd = verbs.pidfdOpen(state.pid);
    opened.push(pidfd);
    const root = openSync(`/proc/${state.pid}/root`, O_PATH | constants.O_DIRECTORY);
    opened.push(root);
    const namespaces = foreignNamespaces(state.pid);
    // It was alive before, and is now: so all of that was of it.
    if (isAlive(state)) return { pidfd, root, namespaces };
    throw new Error(`the process ${state.pid} has ended`);
  } catch (cause) {
    for (const fd of opened) closeSync(fd);
    if (isAlive(state)) throw cause;
    throw wrongStatus(state.id, 'stopped', 'entered', 'created or running', cause);
  }
}

const O_PATH = 0o10000000;

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
