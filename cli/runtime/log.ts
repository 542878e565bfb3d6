/** The log of `--log`, in the forms that runc's callers read. */
import { appendFileSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';

export type LogFormat = 'text' | 'json';

/** @throws usage where the log cannot be written: a caller that reads it would wait for nothing. */
export function checkLog(file: string | undefined, format: string): void {
  if (format !== 'text' && format !== 'json') {
    throw new StackError('usage', { message: `"${format}" is no format of a log.`, hint: 'There are text and json.' });
  }
  if (!file) return;
  try {
    appendFileSync(file, '');
  } catch (cause) {
    throw new StackError('usage', {
      message: `The log ${file} cannot be written: ${(cause as NodeJS.ErrnoException).code}.`,
      hint: 'Name a file in a directory that exists.',
      cause,
    });
  }
}

export function logger(file: string | undefined, format: LogFormat) {
  return (level: 'warning' | 'error', message: string): void => {
    const time = new Date().toISOString();
    const line =
      format === 'json'
        ? JSON.stringify({ level, msg: message, time })
        : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
    if (file) appendFileSync(file, `${line}\n`);
    else if (level === 'warning') process.stderr.write(`${line}\n`);
  };
}
