/** What a command of stack-runtime works with. */
import type { Command } from 'commander';
import type { Runtime } from '../../engine/runtime/oci/create.ts';
import type { KernelPort } from '../../schemas/kernel.ts';

/** What the process hands in. */
export interface Surroundings {
  /** Without node and the script. */
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  kernel(): Promise<KernelPort>;
}

export interface Context extends Surroundings {
  runtime(): Promise<Runtime>;
  print(text: string): void;
}

/** Answers the exit code; nothing is 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: an action without an exit code of its own returns nothing
export type Action = (context: Context, args: string[], flags: Record<string, unknown>) => Promise<number | void>;

export interface Definition {
  /** `create <container-id>`. */
  usage: string;
  summary: string;
  options?(command: Command): void;
  /** Everything behind the first argument belongs to the container's command. */
  isInterspersed?: false;
  action: Action;
}

/** A flag's text as a number. */
export const integer = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new Error(`"${text}" is not a whole number.`);
  return value;
};

export const collect = (value: string, before: string[] = []): string[] => [...before, value];
