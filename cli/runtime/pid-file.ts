/** The file of --pid-file. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';

/** Whole or not at all: somebody waits for it to appear. @throws usage where it cannot be written; then nothing of it is left. */
export function writePid(file: string | undefined, pid: number): void {
  if (!file) return;
  const whole = `${file}.new`;
  try {
    rmSync(whole, { force: true });
    writeFileSync(whole, String(pid), { flag: 'wx' });
    renameSync(whole, file);
  } catch (cause) {
    rmSync(whole, { force: true });
    throw new StackError('usage', {
      message: `The pid cannot be written to --pid-file ${file}: ${(cause as NodeJS.ErrnoException).code}.`,
      hint: 'Name a file in a directory that exists and can be written.',
      cause,
    });
  }
}
