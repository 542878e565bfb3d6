/** HEALTHCHECK. Source: Dockerfile reference, "HEALTHCHECK". */
import type { HealthcheckInstruction } from '../../../schemas/dockerfile.ts';
import { parseDuration } from '../../load/duration.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { readCommandLine } from './command.ts';
import type { Reading } from './reading.ts';

const options = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

export function readHealthcheck({ source, keyword, flags, rest }: Reading): HealthcheckInstruction {
  const [, type, command] = /^(\S*)\s*(.*)$/s.exec(rest)!;
  const hint = 'It reads HEALTHCHECK [--interval=…] CMD command, or HEALTHCHECK NONE.';
  const base = { kind: 'healthcheck' as const, keyword, source };
  if (type!.toUpperCase() === 'NONE') {
    readFlags(source, 'HEALTHCHECK NONE', flags, {});
    if (command !== '') refuse(source, 'HEALTHCHECK NONE takes nothing more.', { hint, word: command });
    return { ...base, interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
  }
  const values = readFlags(source, 'HEALTHCHECK', flags, options);
  if (type!.toUpperCase() !== 'CMD') refuse(source, 'HEALTHCHECK needs CMD or NONE.', { hint, word: type });
  if (command === '') refuse(source, 'HEALTHCHECK CMD needs a command.', { hint });
  const nanoseconds = (name: keyof typeof options): number => {
    const text = values[name];
    if (!text) return 0;
    const duration = /d/.test(text) ? undefined : parseDuration(text);
    if (duration === undefined || (duration !== 0 && duration < 1)) {
      const why = 'A duration reads 30s, 1m30s or 500ms, and is 1ms or more.';
      refuse(source, `HEALTHCHECK --${name}: "${text}" is no duration.`, { hint: why, word: text });
    }
    return Math.round(duration * 1e6);
  };
  const retries = values.retries || '0';
  if (!/^\+?\d{1,9}$/.test(retries)) {
    refuse(source, `HEALTHCHECK --retries: "${retries}" is no count.`, { word: retries });
  }
  return {
    ...base,
    command: readCommandLine(source, 'HEALTHCHECK', command!),
    interval: nanoseconds('interval'),
    timeout: nanoseconds('timeout'),
    startPeriod: nanoseconds('start-period'),
    startInterval: nanoseconds('start-interval'),
    retries: Number(retries),
  };
}
