/** One line for each thing that begins or ends: for pipes, files and CI. */
import { formatPosition } from '../../planner/diagnose.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { EngineEvent } from '../../schemas/events.ts';
import type { Renderer } from './render.ts';
import type { Style } from './style.ts';
import { color } from './style.ts';
import { visible } from './visible.ts';
import { capital, doing, done, seconds } from './words.ts';

export function plainRenderer(write: (text: string) => void, style: Style): Renderer {
  /** The last detail printed of a pull: a line for each phase, not for each byte. */
  const details = new Map<string, string>();
  const isRepeated = repetitions();
  return {
    emit(event) {
      if (event.type === 'progress') {
        if (event.detail === '' || details.get(event.id) === event.detail) return;
        details.set(event.id, event.detail);
      }
      if (isRepeated(event)) return;
      const line = plainLine(event, style);
      if (line !== null) write(`${line}\n`);
    },
    async close() {},
  };
}

/** Tells of an event whether its line would say of a resource what another line says: of several waits, of several steps skipped. */
function repetitions(): (event: EngineEvent) => boolean {
  const skipped = new Set<string>();
  const awaiting = new Map<string, Set<string>>();
  return (event) => {
    if (event.type === 'skipped') {
      const isKnown = skipped.has(event.resource);
      skipped.add(event.resource);
      return isKnown;
    }
    if (!('kind' in event) || event.kind !== 'dependency.await') return false;
    const waits = awaiting.get(event.resource) ?? new Set();
    awaiting.set(event.resource, waits);
    if (event.type === 'started') return waits.add(event.id).size > 1;
    waits.delete(event.id);
    return event.type === 'done' && waits.size > 0;
  };
}

/** Null for what a reader of a log does not need. */
function plainLine(event: EngineEvent, { paint }: Style): string | null {
  switch (event.type) {
    case 'plan':
    case 'timings':
      return null;
    case 'dry-run':
      return dryRunText(event.operations);
    case 'started':
      return ` ${capital(event.resource)}  ${doing(event.kind)}`;
    case 'progress':
      return ` ${capital(event.resource)}  ${event.detail}`;
    case 'done':
      return ` ${capital(event.resource)}  ${paint(color.green, done(event.kind))}  ${seconds(event.ms)}${event.detail ? `  ${event.detail}` : ''}`;
    case 'failed':
      return ` ${capital(event.resource)}  ${paint(color.red, 'Error')}  ${visible(event.error.message)}`;
    case 'skipped':
      return ` ${capital(event.resource)}  ${paint(color.yellow, 'Skipped')}  ${event.because}`;
    case 'undone':
      return ` ${capital(event.resource)}  Undone`;
    case 'watch':
      return watchLine(event);
    case 'waiting':
      return ` ${capital(event.resource)}  Waiting  ${event.because}`;
    case 'warning':
      return warningLine(event.error, paint);
  }
}

/** `web  src/a.ts and 3 more → sync, 4 ms` */
function watchLine({ service, action, paths, count, ms }: Extract<EngineEvent, { type: 'watch' }>): string {
  const rest = count - paths.length;
  const named = `${paths.map(visible).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  return ` ${service}  ${named} → ${action}, ${ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`}`;
}

/** As `stack plan` words it, a line an operation. */
function dryRunText(operations: { id: string; cause: string }[]): string {
  const lines = operations.map(({ id, cause }) => `DRY-RUN MODE -  ${capital(id)}  because ${cause}`);
  return [...lines, `DRY-RUN MODE -  ${lines.length > 0 ? 'Nothing was changed.' : 'There is nothing to do.'}`].join(
    '\n',
  );
}

export function warningLine(error: Pick<StackError, 'message' | 'hint' | 'where'>, paint: Style['paint']): string {
  const { message, hint, where } = error;
  const end = /[.!?]$/.test(message) || !hint ? '' : '.';
  const place = where ? ` (${formatPosition(where)})` : '';
  return `${paint(color.yellow, 'warning:')} ${visible(`${message}${end}${hint ? ` ${hint}` : ''}`)}${place}`;
}
