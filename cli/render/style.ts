/** Whether a stream takes colours and cursor control, and the colours. */
import type { AnsiMode } from '../globals.ts';

export interface Style {
  isColored: boolean;
  /** `code`: SGR parameter, ECMA-48 8.3.117. */
  paint(code: number, text: string): string;
}

/** NO_COLOR (no-color.org) and TERM=dumb count unless `--ansi always` was given. */
export function style(stream: { isTTY?: boolean }, ansi: AnsiMode, environment: NodeJS.ProcessEnv): Style {
  const isWanted = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  const isColored = ansi === 'always' || (ansi === 'auto' && isWanted);
  return { isColored, paint: (code, text) => (isColored && code > 0 ? `\x1b[${code}m${text}\x1b[0m` : text) };
}

export const color = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, gray: 90 } as const;
