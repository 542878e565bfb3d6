/** What a command's module is made of. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Host } from '../engine/host.ts';
import { StackError } from '../schemas/errors.ts';
import { acceptGlobalOptions, type Globals, readGlobals } from './globals.ts';

/** What the process hands in: replaced as a whole by tests. */
export interface Process {
  /** Without node and the script. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Loads the real kernel; called by the commands that need one. */
  host(): Promise<Host>;
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
  action: Action<Flags>;
}

/** A command that main attaches to the program; `onExit` receives the exit code. */
export type Define = (process: Process, onExit: (exitCode: number) => void) => Command;

export function define<Flags>(definition: Definition<Flags>): Define {
  return (process, onExit) => {
    const [name = '', ...args] = definition.usage.split(' ');
    const command = new Command(name).description(definition.summary);
    for (const argument of args) command.argument(argument);
    definition.options?.(command);
    acceptGlobalOptions(command);
    if (definition.isInterspersed === false) command.passThroughOptions();
    const lines = definition.examples.map(([line, does]) => `  ${line}\n      ${does}`);
    command.addHelpText('after', `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.join('\n')}`);
    command.action(async (...values: unknown[]) => {
      const given = values
        .slice(0, -2)
        .flat()
        .filter((value): value is string => typeof value === 'string');
      const flags = command.opts();
      const globals = readGlobals(command.parent?.opts() ?? {}, flags, process.environment);
      const exitCode = await definition.action({ ...process, globals }, given, flags as Flags);
      onExit(exitCode ?? 0);
    });
    return command;
  };
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
