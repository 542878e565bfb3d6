/** What the commands of `stack image` share: the store, and work on several images that is told as a plan's is. */
import { createInterface } from 'node:readline/promises';
import type { ImageProgress, Images } from '../../engine/images/images.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import { interruptible, tell } from '../apply.ts';
import type { Context } from '../command.ts';
import { renderer } from '../render/render.ts';

export async function openImages(context: Context): Promise<Images> {
  const [host, { createImages }] = await Promise.all([context.host(), import('../../engine/images/images.ts')]);
  return createImages(host);
}

/** Works on each of `names` as on an operation of a plan; all at once, and all failures are told. */
export async function each<T>(
  context: Context,
  kind: 'image.pull' | 'image.load' | 'image.push',
  names: string[],
  isQuiet: boolean,
  work: (name: string, onProgress: (progress: ImageProgress) => void, signal: AbortSignal) => Promise<T>,
): Promise<T[]> {
  const globals = isQuiet ? { ...context.globals, progress: 'quiet' as const } : context.globals;
  const show = renderer({ ...context, globals });
  try {
    return await interruptible((signal) =>
      tell(
        show.emit,
        kind,
        names.map((name) => `image ${name}`),
        (index, onProgress) => work(names[index] as string, onProgress, signal),
        context.globals.dryRun,
      ),
    );
  } finally {
    await show.close();
  }
}

/** One after the other, past failures. @throws the first failure, the others in `also` */
export async function inTurn(names: string[], work: (name: string) => Promise<void>): Promise<void> {
  const errors: StackError[] = [];
  for (const name of names) {
    try {
      await work(name);
    } catch (thrown) {
      errors.push(asStackError(thrown));
    }
  }
  const [first, ...others] = errors;
  if (!first) return;
  first.also.push(...others);
  throw first;
}

/** Asks before something goes that cannot be brought back. @throws StackError `usage` where nobody can answer */
export async function confirm({ stdin, stdout }: Context, warning: string): Promise<boolean> {
  if (!stdin.isTTY) {
    throw new StackError('usage', {
      message: 'Standard input is no terminal: nobody can be asked whether to remove.',
      hint: 'Say so with -f.',
    });
  }
  const asking = createInterface({ input: stdin, output: stdout });
  try {
    return /^y(es)?$/i.test(
      (await asking.question(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `)).trim(),
    );
  } finally {
    asking.close();
  }
}
