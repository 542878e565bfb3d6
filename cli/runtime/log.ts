/** The log of `--log`, in the forms that runc's callers read. */
import { appendFileSync } from 'node:fs';

export type LogFormat = 'text' | 'json';

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
