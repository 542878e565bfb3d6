/** What a command's module is made of. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Engine } from '../engine/engine.ts';
import type { Host } from '../engine/host.ts';
import { StackError } from '../schemas/errors.ts';
import { takeBooleans } from './boolean-flags.ts';
import { acceptGlobalOptions, type Globals, readGlobals } from './globals.ts';

/** What the process hands in: replaced as a whole by tests. */
export interface Process {
  /** Without node and the script. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Loads the real kernel and the settings. `isDry`: leaves no file behind. @throws StackError `host.not-root` */
  host(isDry?: boolean): Promise<Host>;
  engine(isDry?: boolean): Promise<Engine>;
}

/** What a command's action works with. */
export interface Context extends Process {
  globals: Globals;
}

/** Answers the process's exit code; nothing is 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: an action without an exit code of its own returns nothing
export type Action<Flags> = (context: Context, args: string[], flags: Flags) => Promise<number | void>;

export interface Definition<Flags> {
  /** `up [SERVICE...]`. */
  usage: string;
  summary: string;
  /** Command lines that work as they stand, with what they do. */
  examples: [line: string, does: string][];
  options?: (command: Command) => void;
  /** Everything behind the first argument belongs to the container's command: `exec`, `run`. */
  isInterspersed?: false;
  /**
   * What becomes of `--dry-run`: the action tells instead of doing, or it changes nothing anyway. Without a word of it
   * the flag is refused: a command must not do what it was asked only to tell.
   */
  dryRun?: 'told' | 'harmless';
  action: Action<Flags>;
}

/** A command that main attaches to the program; `onExit` receives the exit code. */
export interface Define {
  name: string;
  examples: [line: string, does: string][];
  build(process: Process, onExit: (exitCode: number) => void): Command;
}

export function define<Flags = object>(definition: Definition<Flags>): Define {
  const { examples, summary } = definition;
  const [name = '', ...args] = definition.usage.split(' ');
  return { name, examples, build };

  function build(process: Process, onExit: (exitCode: number) => void): Command {
    const command = new Command(name).description(summary);
    for (const argument of args) command.argument(argument);
    definition.options?.(command);
    acceptGlobalOptions(command);
    if (definition.isInterspersed === false) command.passThroughOptions();
    takeBooleans(command, definition.isInterspersed !== false);
    command.addHelpText('after', exampleText(examples));
    command.action(async (...values: unknown[]) => {
      const given = values.slice(0, -2).flat();
      const flags = command.opts();
      const globals = readGlobals(command.parent?.optsWithGlobals() ?? {}, flags, process.environment);
      const words = given.filter((value): value is string => typeof value === 'string');
      // Not spread: that would open stdin.
      const context: Context = Object.defineProperties(
        { globals } as Context,
        Object.getOwnPropertyDescriptors(process),
      );
      checkGlobals(globals, command, definition.dryRun);
      if (globals.dryRun) {
        context.host = () => process.host(true);
        context.engine = () => process.engine(true);
      }
      onExit((await definition.action(context, words, flags as Flags)) ?? 0);
    });
    return command;
  }
}

function checkGlobals({ dryRun, parallel }: Globals, command: Command, policy: Definition<never>['dryRun']): void {
  if (Number.isNaN(parallel)) {
    throw new StackError('usage', { message: 'COMPOSE_PARALLEL_LIMIT must be a whole number.' });
  }
  if (!dryRun || policy !== undefined) return;
  const names = [command.parent?.parent ? command.parent.name() : '', command.name()].filter(Boolean);
  throw new StackError('usage', {
    message: `\`stack ${names.join(' ')}\` cannot tell beforehand what it would do: it has no --dry-run.`,
  });
}

/** A command that only holds others: `stack image`. */
export function defineGroup(name: string, summary: string, members: Define[]): Define {
  const examples = members.flatMap((member) => member.examples);
  return { name, examples, build };

  function build(process: Process, onExit: (exitCode: number) => void): Command {
    const group = new Command(name).description(summary).helpCommand(false).enablePositionalOptions();
    for (const member of members) group.addCommand(member.build(process, onExit));
    group.addHelpText('after', exampleText(examples));
    group.usage('<command>').argument('[command]');
    group.action((command?: string) => {
      if (command === undefined) return group.outputHelp();
      throw new StackError('usage', {
        message: `There is no command "${name} ${command}".`,
        hint: `Run \`stack ${name} --help\` for the list of its commands.`,
      });
    });
    return group;
  }
}

function exampleText(examples: [line: string, does: string][]): string {
  const lines = examples.map(([line, does]) => `  ${line}\n      ${does}`);
  return `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.join('\n')}`;
}

/** A flag of docker compose's that a later version brings. */
export function refuse(flag: string): never {
  throw new StackError('usage', { message: `Not supported yet: ${flag}.` });
}

/** For options that may be given more than once. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

export function integer(value: string): number {
  if (!/^-?\d+$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

export { CommanderError };
