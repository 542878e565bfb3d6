/** An error as the user sees it. */
import { asStackError, type StackError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';
import { style } from './style.ts';

/** Prints what a command threw to standard error and answers the exit code. */
export function reportError(thrown: unknown, { stderr, globals, environment }: Context): number {
  const error = asStackError(thrown);
  if (globals.progress === 'json') stderr.write(`${JSON.stringify({ type: 'error', error })}\n`);
  else stderr.write(formatError(error, style(stderr, globals.ansi, environment).isColored));
  if (error.code === 'internal' && environment.STACK_DEBUG) stderr.write(`${(error.cause as Error)?.stack}\n`);
  return error.exitCode;
}

export function formatError(error: StackError, isColored: boolean): string {
  const red = (text: string) => (isColored ? `\x1b[31m${text}\x1b[39m` : text);
  const lines = [`${red('error:')} ${error.message} [${error.code}]`];
  if (error.hint) lines.push(`  ${error.hint}`);
  for (const other of error.also) lines.push(formatError(other, isColored).trimEnd());
  return `${lines.join('\n')}\n`;
}
