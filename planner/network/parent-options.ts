/**
 * `driver_opts` of macvlan and ipvlan, whose containers stand on the network of an interface of the host. Names and meanings
 * are docker's (docs.docker.com "Macvlan network driver", "IPvlan network driver").
 */
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { isLinkName, type OptionProblem, unknownOption } from './bridge-options.ts';

export type ParentDriver = 'macvlan' | 'ipvlan';

export interface ParentOptions {
  driver: ParentDriver;
  /** The interface of the host. */
  parent: string;
  /** The kernel's number: MACVLAN_MODE_*, IPVLAN_MODE_* of include/uapi/linux/if_link.h. */
  mode: number;
  /** IPVLAN_F_*: whether containers reach each other. */
  flags: number;
  /** Bytes. */
  mtu?: number;
}

const MTU = 'com.docker.network.driver.mtu';
const values: Record<ParentDriver, Record<string, Record<string, number>>> = {
  macvlan: { macvlan_mode: { private: 1, vepa: 2, bridge: 4, passthru: 8 } },
  ipvlan: { ipvlan_mode: { l2: 0, l3: 1, l3s: 2 }, ipvlan_flag: { bridge: 0, private: 1, vepa: 2 } },
};

export const isParentDriver = (driver: string | undefined): driver is ParentDriver =>
  driver === 'macvlan' || driver === 'ipvlan';

/** All that `driver_opts` of a network with such a driver say, and all that is wrong with them. `option` may be `parent` though absent. */
export function readParentOptions(network: Network & { driver: ParentDriver }): {
  options: ParentOptions;
  problems: OptionProblem[];
} {
  const { driver } = network;
  const options: ParentOptions = { driver, parent: '', mode: driver === 'macvlan' ? 4 : 0, flags: 0 };
  const problems: OptionProblem[] = [];
  const wrong = (option: string, message: string, hint: string) =>
    problems.push({ option, code: 'config.value', message, hint });
  for (const [option, value] of Object.entries(network.driver_opts ?? {})) {
    const known = values[driver][option];
    if (option === 'parent') {
      if (isLinkName(value)) options.parent = value;
      else
        wrong(option, `${JSON.stringify(value)} is no name of an interface`, 'Write one that `ip link` shows: eth0.');
    } else if (option === MTU) {
      const mtu = Number(value);
      if (Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535) options.mtu = mtu;
      else if (mtu !== 0)
        wrong(option, `${JSON.stringify(value)} cannot be the MTU`, 'Write a number from 68 to 65535.');
    } else if (!known) {
      problems.push(unknownOption(driver, option, ['parent', MTU, ...Object.keys(values[driver])]));
    } else if (known[value] === undefined) {
      const all = Object.keys(known).join(', ');
      wrong(option, `${JSON.stringify(value)} is none of ${all}`, `Write ${all}.`);
    } else if (option === 'ipvlan_flag') options.flags = known[value];
    else options.mode = known[value];
  }
  if (options.parent === '' && !problems.some(({ option }) => option === 'parent')) {
    wrong('parent', `the driver ${driver} needs an interface of the host`, 'Add `parent: eth0` under driver_opts.');
  }
  return { options, problems };
}

/** @throws StackError config.value, config.not-supported for the first option that cannot be */
export function parentOptions(network: Network): ParentOptions {
  const { driver } = network;
  if (!isParentDriver(driver)) throw new StackError('internal', { message: `${driver} has no parent.` });
  const { options, problems } = readParentOptions({ ...network, driver });
  const [problem] = problems;
  if (!problem) return options;
  const resource = `network ${network.name}`;
  const { option, code, message, hint } = problem;
  throw new StackError(code, { message: `${resource}: driver_opts.${option}: ${message}.`, hint, resource });
}
