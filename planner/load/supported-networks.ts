/** Networks of the stack file that cannot be made as they are written. */
import type { ErrorCode } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';
import { formatSubnet, overlaps, type Subnet } from '../network/address.ts';
import { type OptionProblem, readBridgeOptions } from '../network/bridge-options.ts';
import { isParentDriver, readParentOptions } from '../network/parent-options.ts';
import { readPools } from '../network/pools.ts';

/** Notes an error at a place of the stack file; `other` is a second place involved. */
export type Fail = (code: ErrorCode, path: Path, message: string, hint?: string, other?: Path) => void;
type Path = (string | number)[];

const drivers = ['bridge', 'default', '', 'macvlan', 'ipvlan'];

/** Network `key`, which is none of another stack's: its drivers and their options. */
export function checkNetwork(key: string, network: Network, fail: Fail): void {
  const at = ['networks', key];
  const refuse = (path: string[], hint: string) =>
    fail('config.not-supported', [...at, ...path], `not supported yet: ${[...at, ...path].join('.')}`, hint);
  if (!drivers.includes(network.driver ?? '')) {
    refuse(['driver'], 'Supported: bridge, macvlan, ipvlan.');
    return;
  }
  const { driver } = network.ipam;
  if (driver !== undefined && driver !== 'default') refuse(['ipam', 'driver'], 'Supported: default.');
  const read = isParentDriver(network.driver)
    ? readParentOptions({ ...network, driver: network.driver })
    : readBridgeOptions(network);
  for (const problem of read.problems) tell(at, problem, fail);
  if (isParentDriver(network.driver) && network.internal) {
    refuse(['internal'], 'What stands on an interface of the host reaches its network: use the driver bridge.');
  }
  for (const { code, path, message, hint } of readPools(network).problems) {
    fail(code, [...at, ...path], `${at.join('.')}: ${message}`, hint);
  }
  if (network.enable_ipv4 === false && !network.enable_ipv6 && !readPools(network).asked.ipv6) {
    const hint = 'Add `enable_ipv6: true`, or remove enable_ipv4.';
    fail('network.address', [...at, 'enable_ipv4'], `${at.join('.')}: it has neither IPv4 nor IPv6`, hint);
  }
}

/** Subnets that two of the networks ask for. */
export function checkOverlaps(networks: Record<string, Network>, fail: Fail): void {
  const seen: { path: Path; subnet: Subnet; key: string }[] = [];
  for (const [key, network] of Object.entries(networks)) {
    const { ipv4, ipv6 } = readPools(network).asked;
    for (const { subnet, index } of [ipv4, ipv6].filter((one) => one !== undefined)) {
      const path = ['networks', key, 'ipam', 'config', index, 'subnet'];
      const rival = seen.find((one) => overlaps(one.subnet, subnet));
      if (rival) {
        const message = `networks.${key}: the subnet ${formatSubnet(subnet)} overlaps ${formatSubnet(rival.subnet)} of networks.${rival.key}`;
        fail('network.overlap', path, message, 'Choose another subnet, or leave it out to get a free one.', rival.path);
      }
      seen.push({ path, subnet, key });
    }
  }
}

function tell(at: string[], { option, code, message, hint }: OptionProblem, fail: Fail): void {
  fail(code, [...at, 'driver_opts', option], `${[...at, 'driver_opts', option].join('.')}: ${message}`, hint);
}
