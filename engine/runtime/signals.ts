/** Signals by name or number. Source: signal(7). */
import { constants } from 'node:os';
import { StackError } from '../../schemas/errors.ts';

const sigrtmin = 34;
const sigrtmax = 64;

/** Number of `SIGTERM`, `TERM`, `15` or `RTMIN+3`; undefined where it is none. */
export function signalNumber(text: string): number | undefined {
  const name = text.trim().toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(name)) return Number(name) >= 1 && Number(name) <= sigrtmax ? Number(name) : undefined;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime) {
    const base = realtime[1] === 'MIN' ? sigrtmin : sigrtmax;
    const number = base + Number(`${realtime[2] ?? '+'}${realtime[3] ?? 0}`);
    return number >= sigrtmin && number <= sigrtmax ? number : undefined;
  }
  return constants.signals[`SIG${name}` as NodeJS.Signals];
}

/** The stop signal of a container: SIGTERM where nothing is said. @throws config.value */
export function stopSignalOf(text: string | undefined, resource: string): number {
  if (!text) return constants.signals.SIGTERM;
  const number = signalNumber(text);
  if (number !== undefined) return number;
  throw new StackError('config.value', {
    message: `${resource}.stop_signal: there is no signal ${text}.`,
    hint: 'Write a name like SIGTERM or a number from 1 to 64 (signal(7)).',
    resource: `${resource}.stop_signal`,
  });
}
