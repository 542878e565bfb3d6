/** Times and lengths of time in docker's words. */

/** `About a minute`, `5 hours`: docker's coarse lengths of time. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  const days = Math.floor(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(days / 365)} years`;
}

/** `3 minutes ago`. `iso`: ISO 8601; empty where it never happened. */
export function ago(iso: string, now: number): string {
  return iso === '' ? '' : `${duration(Math.max(0, now - Date.parse(iso)))} ago`;
}

/** `2026-11-23 12:00:00 +0000 UTC`. */
export function timestamp(iso: string): string {
  return iso === '' ? '' : `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}

/** Cuts a text to `length` characters, the last being an ellipsis. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
