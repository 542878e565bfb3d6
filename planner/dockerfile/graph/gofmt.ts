/** Values as Go prints them, which is how they stand in the history of an image. */
import { formatDuration } from '../../load/duration.ts';

/** `%q` of a list of strings: `["a" "b c"]`. */
export function quoted(words: string[]): string {
  return `[${words.map(quote).join(' ')}]`;
}

function quote(word: string): string {
  return JSON.stringify(word).replaceAll(/\\u00([0-9a-f]{2})/g, '\\x$1');
}

/** `%v` of a list of strings: `[a b c]`. */
export function listed(words: string[]): string {
  return `[${words.join(' ')}]`;
}

/** A time.Duration of nanoseconds. */
export function duration(nanoseconds: number | undefined): string {
  return formatDuration((nanoseconds ?? 0) / 1e6);
}
