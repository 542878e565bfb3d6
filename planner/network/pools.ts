/** `ipam.config` of a network: at most one subnet a family, each with its gateway. Source: compose-spec 06-networks.md. */
import type { ErrorCode } from '../../schemas/errors.ts';
import type { IpamPool, Network } from '../../schemas/project.ts';
import {
  type Address,
  contains,
  formatSubnet,
  network,
  offset,
  parseAddress,
  parseSubnet,
  type Subnet,
  size,
} from './address.ts';

export interface AskedSubnet {
  subnet: Subnet;
  gateway: Address;
  /** Place in ipam.config. */
  index: number;
}

export interface PoolProblem {
  code: ErrorCode;
  /** Below the network: `ipam`, `config`, 0, `gateway`. */
  path: (string | number)[];
  message: string;
  hint?: string;
}

/** What `ipam.config` asks for, and all that is wrong with it. */
export function readPools(config: Pick<Network, 'ipam'>): {
  asked: { ipv4?: AskedSubnet; ipv6?: AskedSubnet };
  problems: PoolProblem[];
} {
  const asked: { ipv4?: AskedSubnet; ipv6?: AskedSubnet } = {};
  const problems: PoolProblem[] = [];
  for (const [index, pool] of (config.ipam.config ?? []).entries()) {
    const fail = (path: string[], message: string, hint?: string, code: ErrorCode = 'network.address') =>
      problems.push({ code, path: ['ipam', 'config', index, ...path], message, ...(hint ? { hint } : {}) });
    const subnet = subnetOf(pool, fail);
    if (!subnet) continue;
    const key = subnet.address.family === 4 ? 'ipv4' : 'ipv6';
    if (asked[key]) {
      const family = `IPv${subnet.address.family}`;
      fail(
        ['subnet'],
        `several ${family} subnets for one network are not supported yet`,
        'Keep one subnet for each family.',
        'config.not-supported',
      );
      continue;
    }
    asked[key] = { subnet, gateway: gatewayOf(pool, subnet, fail), index };
  }
  return { asked, problems };
}

type Fail = (path: string[], message: string, hint?: string) => void;

function subnetOf(pool: IpamPool, fail: Fail): Subnet | undefined {
  if (!pool.subnet) {
    const lost = (['gateway', 'ip_range', 'aux_addresses'] as const).find((key) => pool[key] !== undefined);
    if (lost) fail([lost], 'it is of no subnet', 'Add the subnet that it lies in.');
    return undefined;
  }
  const parsed = parseSubnet(pool.subnet);
  if (!parsed) {
    fail(['subnet'], `${pool.subnet} is not a subnet`, 'Write it as 172.28.0.0/16 or fd00:1::/64.');
    return undefined;
  }
  const subnet = { address: network(parsed), prefix: parsed.prefix };
  const text = formatSubnet(subnet);
  // The smallest subnet has a gateway and one more address.
  if (size(subnet) < 4n) fail(['subnet'], `${text} has no room for a gateway and a container`);
  const range = pool.ip_range ? parseSubnet(pool.ip_range) : undefined;
  if (pool.ip_range && !(range && range.prefix >= subnet.prefix && contains(subnet, range.address))) {
    fail(['ip_range'], `the ip_range ${pool.ip_range} is not inside the subnet ${text}`);
  }
  for (const [name, address] of Object.entries(pool.aux_addresses ?? {})) {
    const found = parseAddress(address);
    if (!found || !contains(subnet, found))
      fail(['aux_addresses', name], `aux_addresses.${name} ${address} is not in the subnet ${text}`);
  }
  return subnet;
}

/** The first address where none is asked for, or one that cannot be. */
function gatewayOf(pool: IpamPool, subnet: Subnet, fail: Fail): Address {
  const first = offset(network(subnet), 1);
  if (!pool.gateway) return first;
  const gateway = parseAddress(pool.gateway);
  if (gateway && contains(subnet, gateway)) return gateway;
  fail(['gateway'], `the gateway ${pool.gateway} is not in the subnet ${formatSubnet(subnet)}`);
  return first;
}
