/** Finds the command, runs it, and turns whatever it throws into words and an exit code. */
import { Command, CommanderError } from 'commander';
import { nearest } from '../planner/load/suggest.ts';
import { StackError } from '../schemas/errors.ts';
import type { Process } from './command.ts';
import { commands, laterCommands, laterFlags } from './commands.ts';
import { addGlobalOptions, type Globals, readGlobals } from './globals.ts';

/** Runs the command line and answers the exit code. */
export async function main(process: Process): Promise<number> {
  const [first, ...others] = process.arguments;
  if (first === 'help') return main({ ...process, arguments: [...others, '--help'] });
  let exitCode = 0;
  const program = new Command('stack')
    .description('Runs stacks of containers described by Compose files, with an engine of its own.')
    .usage('[options] <command>')
    .enablePositionalOptions()
    .helpCommand(false)
    .version('', '-v, --version', 'show the version of Stack')
    .addHelpText('after', '\nExample:\n  stack up -d\n      Start the stack of ./compose.yaml and leave it running.');
  addGlobalOptions(program);
  const name = commandName(program, process.arguments);
  for (const [each, { summary, load }] of Object.entries(commands)) {
    if (each !== name) program.command(each).description(summary);
    else program.addCommand((await load()).build(process, (code) => (exitCode = code)));
  }
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    quiet(command, process);
  }
  try {
    if (name && !(name in commands)) throw unknownCommand(name);
    const args = process.arguments;
    if (args.includes('--version') || args.includes('-v')) {
      if (!name) return await main({ ...process, arguments: ['version'] });
    }
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const { reportError } = await import('./render/error.ts');
    const behind = program.commands.find((command) => command.name() === name)?.opts<Partial<Globals>>() ?? {};
    const globals = readGlobals(program.opts<Partial<Globals>>(), behind, process.environment);
    const code = reportError(asUsage(error, name), { ...process, globals });
    // What docker says of the process of `run` and `exec`; every other command fails with 1, as docker compose does.
    const isOfProcess = code >= 125 && code <= 127;
    return isOfProcess && name !== 'run' && name !== 'exec' ? 1 : code;
  }
  return exitCode;
}

/** The first argument that is neither a global flag nor a flag's value. */
function commandName(program: Command, args: string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    if (!arg.startsWith('-') || arg === '-') return arg;
    const option = program.options.find(({ short, long }) => arg === short || arg === long);
    if (option?.required) index++;
  }
  return undefined;
}

/** Commander neither prints an error nor ends the process: both are ours to do. */
function quiet(command: Command, { stdout }: Process): void {
  command.exitOverride();
  command.configureOutput({ writeErr: () => {}, writeOut: (text) => stdout.write(text) });
}

function unknownCommand(name: string): StackError {
  const instead = laterCommands.get(name);
  if (instead !== undefined) {
    return new StackError('usage', { message: `Not supported yet: stack ${name}.`, hint: instead || undefined });
  }
  const meant = nearest(name, Object.keys(commands));
  return new StackError('usage', {
    message: `There is no command "${name}".`,
    hint: meant ? `Did you mean \`stack ${meant}\`?` : 'Run `stack --help` for the list of commands.',
  });
}

function asUsage(error: unknown, name: string | undefined): unknown {
  if (!(error instanceof CommanderError)) return error;
  const message = error.message.replace(/^error: /, '');
  const flag = error.code === 'commander.unknownOption' ? /'(--?[\w-]+)/.exec(message)?.[1] : undefined;
  if (flag && laterFlags.has(flag)) return new StackError('usage', { message: `Not supported yet: ${flag}.` });
  // Commander puts its guess on a line below: "(Did you mean --detach?)", or "one of --pull, --push?".
  const [said, guess] = message.split(/\n\(Did you mean (?:one of )?(.*)\?\)$/s);
  const help = `\`stack ${name ? `${name} ` : ''}--help\``;
  return new StackError('usage', {
    message: `${said!.charAt(0).toUpperCase()}${said!.slice(1)}${/[.?)]$/.test(said!) ? '' : '.'}`,
    hint: guess
      ? `Did you mean ${guess.replaceAll(/--?[\w-]+/g, '`$&`')}? ${help} lists the flags it has.`
      : `Run ${help} for the flags it has.`,
  });
}
