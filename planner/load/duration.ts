/** Durations as the stack file writes them. Source: compose-spec 11-extension.md "Specifying durations"; Go's time package. */

const unit: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)/gy;

/** Milliseconds of `1h30m`, `1.5s`, `500ms`, `0`; undefined where it is no duration. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[-+]/, '');
  if (/^0+$/.test(body)) return 0;
  let total = 0;
  part.lastIndex = 0;
  let end = 0;
  for (let found = part.exec(body); found; found = part.exec(body)) {
    total += Number(found[1]) * unit[found[2]!]!;
    end = part.lastIndex;
  }
  return end === body.length && end > 0 ? sign * total : undefined;
}

function trimmed(value: number, digits: number): string {
  return Number(value.toFixed(digits)).toString();
}

/** The form compose prints: `1m30s`, `2h0m0s`, `1.5s`, `500ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 0.001) return `${trimmed(ms * 1e6, 0)}ns`;
  if (ms < 1) return `${trimmed(ms * 1e3, 3)}µs`;
  if (ms < 1000) return `${trimmed(ms, 6)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = trimmed((ms % 60_000) / 1000, 9);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
