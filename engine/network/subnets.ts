/** Which subnet a network gets: the one its definition asks for, or the first free one of the pools. */
import { createHash } from 'node:crypto';
import {
  type Address,
  broadcast,
  formatAddress,
  formatSubnet,
  network,
  offset,
  overlaps,
  parseSubnet,
  type Subnet,
  size,
} from '../../planner/network/address.ts';
import { type AskedSubnet, readPools } from '../../planner/network/pools.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Network } from '../../schemas/project.ts';

export interface Pool {
  base: string;
  /** Prefix length of the subnets taken from it. */
  size: number;
}

/**
 * The pools docker starts from, without 172.17.0.0/16, which is docker's own first bridge. They are 30 networks: small ones of
 * the upper half of 10.0.0.0/8 follow, 32,768.
 */
export const defaultPools: Pool[] = [
  ...Array.from({ length: 14 }, (_, i) => ({ base: `172.${18 + i}.0.0/16`, size: 16 })),
  { base: '192.168.0.0/16', size: 20 },
  { base: '10.128.0.0/9', size: 24 },
];

/** A subnet in use, and by what: `network demo_default`, `the host's route …`. */
export interface Taken {
  subnet: Subnet;
  by: string;
}

export interface Chosen {
  subnet: string;
  gateway: string;
}

/**
 * The subnets and gateways of network `config`, none of which overlaps one of `taken`.
 * @throws StackError network.address (malformed, gateway outside), network.overlap (asked for and taken),
 *   network.address-exhausted (nothing left in the pools), config.not-supported (two subnets of one family)
 */
export function chooseSubnets(config: Network, pools: Pool[], taken: Taken[]): { ipv4?: Chosen; ipv6?: Chosen } {
  const resource = `network ${config.name}`;
  const { asked, problems } = readPools(config);
  const [problem] = problems;
  if (problem)
    throw new StackError(problem.code, { ...problem, message: `${resource}: ${problem.message}.`, resource });
  const choice: { ipv4?: Chosen; ipv6?: Chosen } = {};
  if (config.enable_ipv4 !== false) {
    choice.ipv4 = finish(asked.ipv4 ?? standard(firstFree(pools, taken, resource)), taken, resource);
  }
  if (config.enable_ipv6 || asked.ipv6) {
    choice.ipv6 = finish(asked.ipv6 ?? standard(uniqueLocal(config.name, taken)), taken, resource);
  }
  if (!choice.ipv4 && !choice.ipv6) throw invalid('it has neither IPv4 nor IPv6', 'Enable one of them.', resource);
  return choice;
}

type Candidate = Pick<AskedSubnet, 'subnet' | 'gateway'>;

const standard = (subnet: Subnet): Candidate => ({ subnet, gateway: offset(network(subnet), 1) });

function finish({ subnet, gateway }: Candidate, taken: Taken[], resource: string): Chosen {
  const text = formatSubnet(subnet);
  const rival = taken.find((one) => overlaps(one.subnet, subnet));
  if (rival) {
    throw new StackError('network.overlap', {
      message: `${resource}: the subnet ${text} overlaps ${formatSubnet(rival.subnet)} of ${rival.by}.`,
      hint: 'Choose another subnet under ipam.config, or leave it out to get a free one.',
      resource,
    });
  }
  return { subnet: text, gateway: formatAddress(gateway) };
}

function firstFree(pools: Pool[], taken: Taken[], resource: string): Subnet {
  const sorted = taken
    .filter(({ subnet }) => subnet.address.family === 4)
    .map(({ subnet }) => ({ first: network(subnet).value, last: broadcast(subnet).value }))
    .sort((one, other) => (one.first < other.first ? -1 : Number(one.first > other.first)));
  for (const pool of pools) {
    const base = parseSubnet(pool.base);
    if (base?.address.family !== 4 || pool.size < base.prefix || pool.size > 30) {
      throw invalid(`the pool ${pool.base} with size ${pool.size} of the settings is not valid`, undefined, resource);
    }
    const found = firstBetween(network(base), broadcast(base).value, pool.size, sorted);
    if (found) return found;
  }
  throw new StackError('network.address-exhausted', {
    message: `${resource}: every subnet of the pools is taken (${taken.length} in use on this machine).`,
    hint: 'Remove networks that are no longer needed, or add pools under `network.pools` of the settings.',
    resource,
  });
}

/** One way through `taken`, which is sorted by `first`: what lies behind the candidate moves it past its end. */
function firstBetween(
  start: Address,
  end: bigint,
  prefix: number,
  taken: { first: bigint; last: bigint }[],
): Subnet | undefined {
  const span = size({ address: start, prefix });
  let value = start.value;
  for (const { first, last } of taken) {
    if (last < value) continue;
    if (first >= value + span) break;
    // Subnets lie at multiples of their size.
    value = ((last + span) / span) * span;
  }
  return value + span - 1n <= end ? { address: { ...start, value }, prefix } : undefined;
}

/** An RFC 4193 /64 that follows from the network's name, so that it stays the same when the network is made anew. */
function uniqueLocal(name: string, taken: Taken[]): Subnet {
  for (let attempt = 0; ; attempt++) {
    const bytes = createHash('sha256').update(`ula ${name} ${attempt}`).digest().subarray(0, 7);
    const value = (0xfdn << 120n) | (BigInt(`0x${bytes.toString('hex')}`) << 64n);
    const subnet: Subnet = { address: { family: 6, value }, prefix: 64 };
    if (!taken.some((one) => overlaps(one.subnet, subnet))) return subnet;
  }
}

function invalid(what: string, hint: string | undefined, resource: string): StackError {
  return new StackError('network.address', { message: `${resource}: ${what}.`, hint, resource });
}
