import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { loadProcess } from '../../engine/runtime/oci/config.ts';
import { exec as execProcess } from '../../engine/runtime/oci/exec.ts';
import { readSpec, toJson } from '../../engine/runtime/spec-json.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd, ProcessVerbs } from '../../schemas/kernel.ts';
import type { Process } from '../../schemas/oci-runtime.ts';
import { collect, type Definition, integer } from './command.ts';
import { writePid } from './create.ts';
import { Foreground } from './foreground.ts';

interface Flags {
  process?: string;
  cwd?: string;
  env?: string[];
  tty?: boolean;
  user?: string;
  additionalGids?: string[];
  cap?: string[];
  detach?: boolean;
  pidFile?: string;
  consoleSocket?: string;
  preserveFds: number;
  processLabel?: string;
  apparmor?: string;
  /** Commander's: false where `--no-new-privs` is given. */
  newPrivs: boolean;
  cgroup?: string[];
}

export const exec: Definition = {
  usage: 'exec <container-id> [command...]',
  summary: 'Run a further process in a container',
  isInterspersed: false,
  options(command) {
    command
      .option('-p, --process <file>', 'process of a config.json: everything else is in it')
      .option('--cwd <dir>', 'working directory in the container')
      .option('-e, --env <name=value>', 'set an environment variable (repeatable)', collect)
      .option('-t, --tty', 'with a terminal')
      .option('-u, --user <uid[:gid]>', 'user and group, by their numbers')
      .option('-g, --additional-gids <gid>', 'a further group, by its number (repeatable)', collect)
      .option('-c, --cap <name>', 'a further capability (repeatable)', collect)
      .option('-d, --detach', 'do not wait for its end')
      .option('--pid-file <file>', 'write the pid of the process there')
      .option('--console-socket <path>', 'unix socket that takes the master of the terminal')
      .option('--preserve-fds <number>', 'hand this many descriptors from 3 on to the process', integer, 0)
      .option('--process-label <label>', 'SELinux label of the process')
      .option('--apparmor <profile>', 'AppArmor profile of the process')
      .option('--no-new-privs', 'set no_new_privs')
      .option('--cgroup <path>', 'a cgroup below the container’s own, or controller,…:path (repeatable)', collect)
      .option('--ignore-paused', 'accepted for compatibility');
  },
  async action(context, [id = '', ...args], given) {
    const flags = given as unknown as Flags;
    const runtime = await context.runtime();
    runtime.states.read(id); // it says who does not exist, config.json would not
    const process = processOf(readSpec(runtime.states.config(id), id).process, args, flags);
    const foreground = new Foreground(runtime);
    const isDetached = flags.detach ?? false;
    if (!isDetached) foreground.listen();
    const launched = await execProcess(runtime, id, process, {
      isDetached,
      consoleSocket: flags.consoleSocket,
      preserveFds: flags.preserveFds,
      cgroups: flags.cgroup,
      onTerminal: (fd) => foreground.takeTerminal(fd),
    });
    try {
      recordPid(runtime.kernel.process, flags.pidFile, launched.pid);
      if (isDetached) return 0;
      foreground.forward(launched);
      return await foreground.ended(launched);
    } finally {
      foreground.restore();
      launched.close();
    }
  },
};

/** A process whose pid nobody will know is not left running, as runc does not leave it. */
function recordPid(verbs: ProcessVerbs, file: string | undefined, pid: number): void {
  let pidfd: Fd | undefined;
  try {
    if (file) pidfd = verbs.pidfdOpen(pid);
  } catch {
    // It has ended already.
  }
  try {
    writePid(file, pid);
  } catch (error) {
    try {
      if (pidfd !== undefined) verbs.pidfdSignal(pidfd, constants.signals.SIGKILL);
    } catch {
      // It has ended meanwhile.
    }
    throw error;
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}

/** Each name once, at its first place with its last value: of two of a name getenv(3) finds the first. */
function environment(container: string[] = [], given: string[] = []): string[] {
  const byName = new Map<string, string>();
  for (const entry of [...container, ...given]) byName.set(entry.split('=', 1)[0]!, entry);
  return [...byName.values()];
}

function processOf(base: Process | undefined, args: string[], flags: Flags): Process {
  if (flags.process) return loadProcess(readFileSync(flags.process, 'utf8'), flags.process).process;
  if (args.length === 0) {
    throw new StackError('usage', {
      message: 'exec needs a command.',
      hint: 'Write it behind the id, or use --process.',
    });
  }
  const [uid, gid] = (flags.user ?? '').split(':');
  const of = (text: string | undefined, otherwise: number | undefined) => (text ? integer(text) : (otherwise ?? 0));
  const { consoleSize: _, ...container } = base ?? { cwd: '/' };
  const { capabilities } = container;
  const more =
    flags.cap?.map((name) =>
      name.toUpperCase().startsWith('CAP_') ? name.toUpperCase() : `CAP_${name.toUpperCase()}`,
    ) ?? [];
  const added = (names: string[] = []) => [...new Set([...names, ...more])];
  const whole = {
    ...container,
    args,
    terminal: flags.tty ?? false,
    cwd: flags.cwd ?? container.cwd,
    env: environment(container.env, flags.env),
    user: {
      ...container.user,
      uid: of(uid, container.user?.uid),
      gid: of(gid, container.user?.gid),
      ...(flags.additionalGids ? { additionalGids: flags.additionalGids.map(integer) } : {}),
    },
    ...(more.length > 0
      ? {
          capabilities: {
            ...capabilities,
            bounding: added(capabilities?.bounding),
            effective: added(capabilities?.effective),
            permitted: added(capabilities?.permitted),
          },
        }
      : {}),
    ...(flags.processLabel ? { selinuxLabel: flags.processLabel } : {}),
    ...(flags.apparmor ? { apparmorProfile: flags.apparmor } : {}),
    ...(!flags.newPrivs ? { noNewPrivileges: true } : {}),
  };
  // Held to the rules that config.json was: what `create` left out of it, as ambient capabilities without inheritable ones,
  // an exec leaves out, too.
  return loadProcess(toJson(whole), 'process of exec').process;
}
