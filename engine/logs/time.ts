/** Times as `--since` and `--until` take them. Source: docker's documentation of `docker logs --since`. */
import { StackError } from '../../schemas/errors.ts';

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/**
 * Reads a duration back from now (`42m`, `1h30m`), a Unix time in seconds (`1700000000.25`) or RFC 3339, whole or cut
 * short (`2026-11-23`, `2026-11-23T12:00`), in local time where no zone is given. Answers RFC 3339 in UTC with nine
 * decimals, which compares as text with the times in a log.
 * @throws StackError `usage`
 */
export function parseTime(text: string, now: number = Date.now()): string {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const [seconds = '0', decimals = ''] = text.split('.');
    return withNanoseconds(new Date(Number(seconds) * 1000), decimals);
  }
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    let ms = 0;
    for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
      ms += Number(count) * (units[unit ?? ''] ?? 0);
    }
    return withNanoseconds(new Date(now - ms));
  }
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d)?)?)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (parts) {
    const [hours, minutes = '00', seconds = '00'] = (parts[2] ?? '00').split(':');
    const date = new Date(`${parts[1]}T${hours}:${minutes}:${seconds}${parts[4] ?? ''}`);
    if (!Number.isNaN(date.getTime())) return withNanoseconds(date, parts[3]);
  }
  throw new StackError('usage', {
    message: `"${text}" is not a time.`,
    hint: 'Give a duration back from now (10m, 1h30m), a date (2026-11-23T12:00:00Z) or Unix seconds.',
  });
}

/** `decimals` replaces the milliseconds of the date. */
function withNanoseconds(date: Date, decimals?: string): string {
  const iso = date.toISOString();
  const fraction = decimals ? decimals.padEnd(9, '0').slice(0, 9) : `${iso.slice(20, 23)}000000`;
  return `${iso.slice(0, 19)}.${fraction}Z`;
}
