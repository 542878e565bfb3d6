/** RUN. Source: Dockerfile reference, "RUN". */
import type { RunInstruction } from '../../../schemas/dockerfile.ts';
import { nearest } from '../../load/suggest.ts';
import { readFlags } from '../flags.ts';
import { refuse } from '../site.ts';
import { csvFields } from '../words.ts';
import { readCommandLine } from './command.ts';
import type { Reading } from './reading.ts';

const networks = ['default', 'none', 'host'] as const;
const securities = ['sandbox', 'insecure'] as const;

export function readRun(reading: Reading): RunInstruction {
  const { source, keyword, rest } = reading;
  const device = reading.flags.find((flag) => /^--device(?:=|$)/.test(flag));
  if (device !== undefined) {
    const hint = 'Take the flag out, and use the device when the container runs: `devices:` of the service.';
    refuse(source, 'RUN --device: a build step gets no devices.', { code: 'build.not-supported', hint, word: device });
  }
  const flags = readFlags(source, 'RUN', reading.flags, { mount: 'list', network: 'text', security: 'text' });
  const choose = <T extends string>(flag: string, value: string | undefined, choices: readonly T[]): T | undefined => {
    if (value === undefined || choices.includes(value as T)) return value as T | undefined;
    const meant = nearest(value, choices);
    const hint = meant ? `Did you mean ${meant}?` : `It takes ${choices.join(', ')}.`;
    refuse(source, `RUN --${flag} does not take "${value}".`, { hint, word: value });
  };
  const network = choose('network', flags.network, networks);
  const security = choose('security', flags.security, securities);
  const command = readCommandLine(source, 'RUN', rest);
  if (command.form === 'exec' && command.args.length === 0) refuse(source, 'RUN [] has no program to run.');
  const fieldsOf = (written: string): string[] => {
    try {
      return csvFields(written);
    } catch (thrown) {
      return refuse(source, `RUN --mount=${written}: ${(thrown as Error).message}.`, { word: written });
    }
  };
  const mounts = flags.mount.map((written) => ({ written, fields: fieldsOf(written) }));
  return {
    kind: 'run',
    keyword,
    source,
    command,
    mounts,
    ...(network ? { network } : {}),
    ...(security ? { security } : {}),
  };
}
