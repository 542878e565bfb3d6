/** Networks of the stack file that cannot be made as they are written. */
import type { ErrorCode } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { type OptionProblem, readBridgeOptions } from '../network/bridge-options.ts';

/** Notes an error at a place of the stack file. */
export type Fail = (code: ErrorCode, path: (string | number)[], message: string, hint?: string) => void;

const drivers = ['bridge', 'default', ''];

/** Network `key`, which is none of another stack's: its drivers and their options. */
export function checkNetwork(key: string, network: Network, fail: Fail): void {
  const at = ['networks', key];
  const refuse = (path: string[], hint: string) =>
    fail('config.not-supported', [...at, ...path], `not supported yet: ${[...at, ...path].join('.')}`, hint);
  if (!drivers.includes(network.driver ?? '')) {
    refuse(['driver'], 'Supported: bridge.');
    return;
  }
  const { driver } = network.ipam;
  if (driver !== undefined && driver !== 'default') refuse(['ipam', 'driver'], 'Supported: default.');
  for (const problem of readBridgeOptions(network).problems) tell(at, problem, fail);
}

function tell(at: string[], { option, code, message, hint }: OptionProblem, fail: Fail): void {
  fail(code, [...at, 'driver_opts', option], `${[...at, 'driver_opts', option].join('.')}: ${message}`, hint);
}
