/** Finds the command of stack-runtime, runs it, and turns what it throws into a message, a line of the log, and an exit code. */
import { Command, CommanderError } from 'commander';
import type { Runtime } from '../../engine/runtime/oci/create.ts';
import type { CgroupManager } from '../../engine/runtime/oci/state.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Context, Definition, Surroundings } from './command.ts';
import { commands } from './commands.ts';
import { checkLog, type LogFormat, logger } from './log.ts';

interface Globals {
  root?: string;
  log?: string;
  logFormat: LogFormat;
  debug?: boolean;
  cgroupManager: CgroupManager;
  systemdCgroup?: boolean;
}

const defaultRoot = '/run/stack-runtime';

/** Answers the exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  let exitCode = 0;
  const program = new Command('stack-runtime')
    .description('Runs containers from OCI bundles, behind the command line of runc.')
    .enablePositionalOptions()
    .helpCommand(false)
    .version(
      `stack-runtime version 0.1.0\nspec: 1.3.0`,
      '-v, --version',
      'show the versions of the runtime and of its specification',
    )
    .option('--root <dir>', 'where the state of containers is kept', defaultRoot)
    .option('--log <file>', 'append errors and warnings to this file')
    .option('--log-format <format>', 'text or json', 'text')
    .option('--debug', 'accepted for compatibility; the log has everything it can have')
    .option('--cgroup-manager <manager>', 'cgroupfs, systemd or disabled', 'cgroupfs')
    .option('--systemd-cgroup', 'the same as --cgroup-manager systemd')
    .option('--rootless <value>', 'accepted for compatibility: auto, true or false')
    .option('--criu <path>', 'accepted for compatibility');
  const globals = () => program.opts<Globals>();
  const log = (level: 'warning' | 'error', message: string) =>
    logger(globals().log, globals().logFormat)(level, message);
  const context: Context = {
    arguments: surroundings.arguments,
    environment: surroundings.environment,
    kernel: () => surroundings.kernel(),
    // Opened by who uses them.
    get stdout() {
      return surroundings.stdout;
    },
    get stderr() {
      return surroundings.stderr;
    },
    print: (text) => void surroundings.stdout.write(text),
    runtime: () => runtimeOf(surroundings, globals(), (message) => log('warning', message)),
  };
  for (const [name, load] of Object.entries(commands)) {
    if (!surroundings.arguments.includes(name)) program.command(name);
    else add(program, await load(), context, (code) => (exitCode = code));
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: (text) => surroundings.stdout.write(text) });
  }
  try {
    const args = surroundings.arguments;
    program.hook('preAction', () => checkLog(globals().log, globals().logFormat));
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const message = messageOf(error);
    const also = error instanceof StackError ? error.also.map(messageOf) : [];
    try {
      // Before it: callers take the last line for the reason.
      for (const further of also) log('error', further);
      log('error', message);
    } catch {
      // The log cannot be written: what it was about counts more.
    }
    surroundings.stderr.write(`stack-runtime: ${message}\n`);
    if (!(error instanceof StackError)) return 1;
    if (error.hint) surroundings.stderr.write(`  ${error.hint}\n`);
    for (const further of also) surroundings.stderr.write(`  And in the cleaning up: ${further}\n`);
    return error.exitCode ?? 1;
  }
}

function add(program: Command, definition: Definition, context: Context, done: (code: number) => void): void {
  const command = program.command(definition.usage).description(definition.summary);
  definition.options?.(command);
  if (definition.isInterspersed === false) command.passThroughOptions();
  command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2).flatMap((arg) => (arg === undefined ? [] : arg)) as string[];
    done((await definition.action(context, args, command.opts())) ?? 0);
  });
}

async function runtimeOf(
  { environment, kernel }: Surroundings,
  globals: Globals,
  warn: (message: string) => void,
): Promise<Runtime> {
  const { States } = await import('../../engine/runtime/oci/state.ts');
  const cgroupManager = globals.systemdCgroup ? 'systemd' : globals.cgroupManager;
  if (!['cgroupfs', 'systemd', 'disabled'].includes(cgroupManager)) {
    throw new StackError('usage', {
      message: `"${cgroupManager}" is no cgroup manager.`,
      hint: 'There are cgroupfs, systemd and disabled.',
    });
  }
  return { kernel: await kernel(), states: new States(globals.root ?? defaultRoot), cgroupManager, environment, warn };
}

function messageOf(error: unknown): string {
  if (error instanceof CommanderError) return error.message.replace(/^error: /, '');
  return error instanceof Error ? error.message : String(error);
}
