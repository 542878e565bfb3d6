/** Every command with its flags, read from the parser itself: what completion, manual and docs are made of. */
import type { Command, Option } from 'commander';
import type { Define, Process } from './command.ts';
import { commands } from './commands.ts';
import { globalOptions } from './globals.ts';

export interface Described {
  /** `['image', 'ls']`. */
  path: string[];
  summary: string;
  /** As help shows them: `[SERVICE...]`. */
  arguments: string[];
  /** Without those that every command has. */
  options: Flag[];
  examples: [line: string, does: string][];
  /** Holds others, and does nothing itself. */
  isGroup: boolean;
}

export interface Flag {
  short?: string;
  /** `--no-trunc`; a few flags are short alone. */
  long?: string;
  /** `<file>`; absent for what is on or off. */
  value?: string;
  choices?: string[];
  description: string;
  isHidden: boolean;
}

export const globalFlags = (): Flag[] => globalOptions().map(flagOf);

/** In the order that help lists them; members of a group behind it. */
export async function describedCommands(): Promise<Described[]> {
  const all: Described[] = [];
  for (const { load } of Object.values(commands)) {
    const define = await load();
    // Nothing runs: the parser alone is looked at.
    const command = define.build({ environment: {} } as Process, () => {});
    all.push(described(command, [command.name()], define.examples));
    for (const member of command.commands) {
      const examples = define.examples.filter(([line]) => line.includes(`${command.name()} ${member.name()}`));
      all.push(described(member, [command.name(), member.name()], examples));
    }
  }
  return all;
}

function described(command: Command, path: string[], examples: Define['examples']): Described {
  const everywhere = new Set(globalOptions().map(({ long }) => long));
  return {
    path,
    summary: command.description(),
    arguments: command.registeredArguments.map((argument) => {
      const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return argument.required ? text : `[${text}]`;
    }),
    options: command.options.filter(({ long, hidden }) => !(hidden && everywhere.has(long))).map(flagOf),
    examples,
    isGroup: command.commands.length > 0,
  };
}

function flagOf({ short, long, flags, argChoices, description, hidden, required, optional }: Option): Flag {
  const value = required || optional ? /[<[][^>\]]+[>\]]/.exec(flags)?.[0] : undefined;
  return {
    ...(short ? { short } : {}),
    ...(long ? { long } : {}),
    ...(value ? { value } : {}),
    ...(argChoices ? { choices: argChoices } : {}),
    description,
    isHidden: hidden,
  };
}
