/** A line asked for at the terminal. */
import { StackError } from '../schemas/errors.ts';
import type { Context } from './command.ts';

/** Reads one line. Hidden: nothing of it is shown. @throws StackError `plan.interrupted` after Ctrl-C */
export async function ask(
  { stdin, stderr }: Pick<Context, 'stdin' | 'stderr'>,
  question: string,
  isHidden = false,
): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const { Writable } = await import('node:stream');
  // Readline echoes to its output: for a secret that is nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: isHidden ? nowhere : stderr, terminal: true });
  // Not before: until the interface has the terminal, that shows what is typed.
  if (isHidden) stderr.write(question);
  const stop = new AbortController();
  lines.once('SIGINT', () => stop.abort());
  try {
    return await lines.question(isHidden ? '' : question, { signal: stop.signal });
  } catch {
    throw new StackError('plan.interrupted', { message: 'Logging in was interrupted.', exitCode: 130 });
  } finally {
    lines.close();
    if (isHidden) stderr.write('\n');
  }
}
