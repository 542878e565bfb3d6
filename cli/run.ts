import { randomBytes } from 'node:crypto';
import { Option } from 'commander';
import type { PullPolicy } from '../planner/reconcile/options.ts';
import type { ContainerRecord } from '../schemas/container.ts';
import { asStackError } from '../schemas/errors.ts';
import { given, interruptible } from './apply.ts';
import { collect, define, refuse } from './command.ts';
import { checkServices } from './containers.ts';
import { environmentOf } from './exec.ts';
import { loadSupported } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  detach?: boolean;
  rm?: boolean;
  env?: string[];
  entrypoint?: string;
  label?: string[];
  name?: string;
  deps: boolean;
  publish?: string[];
  servicePorts?: boolean;
  pull?: PullPolicy;
  quietPull?: boolean;
  tty?: boolean;
  TTY: boolean;
  user?: string;
  volume?: string[];
  workdir?: string;
  build?: boolean;
  capAdd?: string[];
  capDrop?: string[];
  envFromFile?: string[];
  quiet?: boolean;
  quietBuild?: boolean;
  removeOrphans?: boolean;
  useAliases?: boolean;
}

export const run = define<Flags>({
  usage: 'run SERVICE [COMMAND] [ARGS...]',
  summary: 'Run a command in a new container of a service',
  examples: [
    ['stack run --rm web npm test', 'Run the tests in a container that is removed afterwards.'],
    ['stack run --rm -e DEBUG=1 --no-deps web sh', 'Open a shell without starting what web needs.'],
  ],
  isInterspersed: false,
  options(command) {
    command
      .option('--rm', 'remove the container when it ends')
      .option('-d, --detach', 'leave it running and print its id')
      .option('-e, --env <name=value>', 'set an environment variable (repeatable)', collect)
      .option('--entrypoint <command>', 'run this instead of the entrypoint')
      .option('-l, --label <name=value>', 'add a label (repeatable)', collect)
      .option('--name <name>', 'name of the container')
      .option('--no-deps', 'do not start what the service needs')
      .option('-p, --publish <port>', 'publish a port: [HOST:]CONTAINER (repeatable)', collect)
      .option('-P, --service-ports', 'publish the ports of the stack file')
      .addOption(new Option('--pull <policy>', 'when to pull the image').choices(['always', 'missing', 'never']))
      .option('--quiet-pull', 'do not show the progress of pulls')
      .option('-T, --no-tty', 'no terminal (there is one where standard input and output are terminals)')
      .option('-u, --user <user>', 'run it as this user: name or id, with :group where wanted')
      .option('-v, --volume <volume>', 'add a mount: SOURCE:TARGET[:OPTIONS] (repeatable)', collect)
      .option('-w, --workdir <dir>', 'run it in this directory')
      .option('--build', 'build the image first, though it is there')
      .option('--cap-add <capability>', 'give it a capability (repeatable)', collect)
      .option('--cap-drop <capability>', 'take a capability from it (repeatable)', collect)
      .option('--env-from-file <file>', 'set the variables of a file (repeatable)', collect)
      .option('-q, --quiet', 'show no progress')
      .option('--quiet-build', 'do not show the progress of builds')
      .option('--remove-orphans', 'remove containers of services that the stack file no longer has')
      .option('--use-aliases', 'other containers find it by the names of the service')
      .addOption(new Option('--no-TTY', 'the same, as docker compose once spelt it').hideHelp())
      .addOption(new Option('-i, --interactive', 'pass standard input (it always is)').hideHelp())
      .addOption(new Option('-t, --tty', 'a terminal, where standard input is one').hideHelp());
  },
  async action(context, [service = '', ...args], flags) {
    if (flags.rm && flags.detach) refuse('--rm together with --detach');
    const { stdin, stdout } = context;
    const { quietPull = false, quietBuild = false, useAliases = false, removeOrphans } = flags;
    const globals = flags.quiet ? { ...context.globals, progress: 'quiet' as const } : context.globals;
    const show = renderer(Object.create(context, { globals: { value: globals } }), { quietPull, quietBuild });
    const { project, disabled, projectDirectory } = await loadSupported(context, show.emit, [service]);
    checkServices([service], new Set(Object.keys(project.services)));
    const isTty = flags.tty !== false && flags.TTY && !flags.detach && stdin.isTTY === true && stdout.isTTY === true;
    const { overridden } = await import('./overrides.ts');
    const config = overridden(project, service, projectDirectory, {
      args,
      entrypoint: flags.entrypoint,
      environment: environmentOf(flags.env, context.environment),
      envFiles: flags.envFromFile ?? [],
      capAdd: flags.capAdd ?? [],
      capDrop: flags.capDrop ?? [],
      useAliases,
      user: flags.user,
      workdir: flags.workdir,
      volumes: flags.volume ?? [],
      publish: flags.publish ?? [],
      labels: flags.label ?? [],
      withServicePorts: flags.servicePorts === true,
      isTty,
      isInteractive: !flags.detach,
    });
    const name = flags.name ?? `${project.name}-${service}-run-${randomBytes(6).toString('hex')}`;
    const engine = await context.engine();
    const request = { service, config, name, noDeps: !flags.deps, disabledServices: Object.keys(disabled) };
    let record: ContainerRecord;
    try {
      record = await interruptible((signal) =>
        engine.createOneOff(project, given({ ...request, pull: flags.pull, build: flags.build, removeOrphans }), {
          emit: show.emit,
          signal,
          command: 'stack run',
        }),
      );
    } finally {
      await show.close();
    }
    const containers = await engine.containers();
    const remove = () => containers.remove(record, { removeAnonymousVolumes: true });
    try {
      if (flags.detach) {
        await containers.start(record);
        stdout.write(`${record.id}\n`);
        return 0;
      }
      const { pump } = await import('./session.ts');
      const session = await containers.attach(record, { stdin: true });
      const ended = pump(session, context, isTty);
      ended.catch(() => {});
      try {
        await containers.start(record);
        // Once more: before the start there may be no terminal yet that would take it.
        if (isTty) session.resize(stdout.rows, stdout.columns);
      } catch (error) {
        session.close();
        throw error;
      }
      const { exitCode } = await ended;
      if (flags.rm) await remove();
      return exitCode;
    } catch (thrown) {
      const error = asStackError(thrown);
      // A container that never ran is of no use to anyone.
      await remove().catch((failure) => error.also.push(asStackError(failure)));
      throw error;
    }
  },
});
