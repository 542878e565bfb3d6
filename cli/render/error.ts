/** An error as the user sees it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatError } from '../../planner/diagnose.ts';
import { asStackError, type StackError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';
import { color, type Style, style } from './style.ts';
import { visible } from './visible.ts';

/** Prints what a command threw to standard error and answers the exit code. */
export function reportError(
  thrown: unknown,
  { stderr, globals, environment }: Pick<Context, 'stderr' | 'globals' | 'environment'>,
): number {
  const error = asStackError(thrown);
  if (globals.progress === 'json') stderr.write(`${JSON.stringify({ type: 'error', error })}\n`);
  else stderr.write(errorText(error, style(stderr, globals.ansi, environment)));
  const isOurs = error.code === 'internal';
  if (isOurs && environment.STACK_DEBUG) stderr.write(`${(thrown as Error)?.stack ?? thrown}\n`);
  return error.exitCode;
}

/** The error and every further one, each once and as planner/diagnose words it. Errors of cleaning up come last and indented. */
export function errorText(error: StackError, { paint }: Style): string {
  const one = (each: StackError) => `${paint(color.red, 'error:')} ${visible(formatError(each, source))}\n`;
  const lines = [...new Set([one(error), ...error.also.map(one)])];
  if (error.code === 'internal') lines.push('  Set STACK_DEBUG=1 to see where it happened.\n');
  return lines.join('');
}

/** The text of a file by the name positions carry; undefined where it is gone. */
export function source(file: string): string | undefined {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch {
    return undefined;
  }
}
