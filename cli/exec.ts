import { Option } from 'commander';
import { StackError } from '../schemas/errors.ts';
import { collect, define, integer } from './command.ts';
import { oneContainer } from './containers.ts';
import { namedStack } from './project.ts';
import { renderer } from './render/render.ts';

interface Flags {
  detach?: boolean;
  env?: string[];
  index?: number;
  tty?: boolean;
  TTY: boolean;
  user?: string;
  workdir?: string;
  privileged?: boolean;
}

export const exec = define<Flags>({
  usage: 'exec SERVICE COMMAND [ARGS...]',
  summary: 'Run a command in a running container',
  examples: [
    ['stack exec db psql -U postgres', 'Open a database shell in the container of db.'],
    ['stack exec -T db pg_dump -U postgres > dump.sql', 'Write a dump without a terminal in between.'],
  ],
  isInterspersed: false,
  options(command) {
    command
      .option('-d, --detach', 'run it in the background')
      .option('-e, --env <name=value>', 'set an environment variable (repeatable)', collect)
      .option('--index <number>', 'number of the container where the service has several', integer)
      .option('-T, --no-tty', 'no terminal (there is one where standard input and output are terminals)')
      .option('-u, --user <user>', 'run it as this user: name or id, with :group where wanted')
      .option('-w, --workdir <dir>', 'run it in this directory')
      .option('--privileged', 'give it all capabilities')
      .addOption(new Option('--no-TTY', 'the same, as docker compose once spelt it').hideHelp())
      .addOption(new Option('-i, --interactive', 'pass standard input (it always is)').hideHelp())
      .addOption(new Option('-t, --tty', 'a terminal, where standard input is one').hideHelp());
  },
  async action(context, [service = '', ...args], flags) {
    const { emit, close } = renderer(context);
    const stack = await namedStack(context, emit);
    await close();
    const engine = await context.engine();
    const { record, status } = await oneContainer(engine, stack, service, flags.index);
    if (status.state === 'paused') {
      throw new StackError('runtime.not-running', {
        message: `${record.name} is paused: nothing can be started in it.`,
        hint: `\`stack unpause ${service}\` lets it go on.`,
        resource: `container ${record.name}`,
      });
    }
    const containers = await engine.containers();
    const { stdin, stdout } = context;
    const isTty = flags.tty !== false && flags.TTY && !flags.detach && stdin.isTTY === true && stdout.isTTY === true;
    const session = await containers.exec(record, {
      args,
      isTty,
      env: environmentOf(flags.env, context.environment),
      isPrivileged: flags.privileged === true,
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.workdir === undefined ? {} : { workingDir: flags.workdir }),
      ...(isTty ? { size: [stdout.rows, stdout.columns] as [number, number] } : {}),
    });
    const { abandon, pump } = await import('./session.ts');
    if (flags.detach) {
      abandon(session);
      return 0;
    }
    return (await pump(session, context, isTty)).exitCode;
  },
});

/** `NAME=value` as it is; a bare `NAME` takes the value it has here, and is left out where it has none. */
export function environmentOf(given: string[] | undefined, environment: NodeJS.ProcessEnv): string[] {
  return (given ?? []).flatMap((entry) => {
    if (entry.includes('=')) return [entry];
    const value = environment[entry];
    return value === undefined ? [] : [`${entry}=${value}`];
  });
}
