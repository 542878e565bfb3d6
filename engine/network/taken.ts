/** Subnets that a new network must keep clear of. */
import { readFileSync } from 'node:fs';
import { network, parseAddress, parseSubnet } from '../../planner/network/address.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { getAddresses, RTM_NEWADDR, readAddress } from './netlink/address.ts';
import { getLinks, RTM_NEWLINK, readLink, removeLink } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';
import { getRoutes, RTM_NEWROUTE, readRoute } from './netlink/route.ts';
import type { Taken } from './subnets.ts';

export function subnetsOf(records: NetworkRecord[]): Taken[] {
  return records.flatMap(({ name, ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((one) => (one ? [{ subnet: parseSubnet(one.subnet)!, by: `network ${name}` }] : [])),
  );
}

/**
 * Subnets of `records`, of the host's routes and addresses, and the resolvers of /etc/resolv.conf (a VPN's resolver is
 * often reached by the default route alone). Link `stale`, where there is one, is removed first.
 */
export async function takenSubnets(
  kernel: NetworkVerbs,
  records: NetworkRecord[],
  stale: string | undefined,
): Promise<Taken[]> {
  const taken = subnetsOf(records);
  const answers = await send(kernel, protocol.route, null, [
    ...(stale === undefined ? [] : [removeLink(stale)]),
    getLinks(),
    getAddresses(),
    getRoutes(),
  ]);
  const names = new Map<number, string>();
  for (const answer of answers) {
    if (answer.type === RTM_NEWLINK) {
      const { index, name } = readLink(answer);
      names.set(index, name);
      continue;
    }
    const isAddress = answer.type === RTM_NEWADDR;
    if (!isAddress && answer.type !== RTM_NEWROUTE) continue;
    const found = isAddress ? readAddress(answer) : readRoute(answer);
    if (!found) continue;
    const link = names.get(found.index);
    const subnet = { address: network(found.subnet), prefix: found.subnet.prefix };
    taken.push({ subnet, by: isAddress ? `the host's interface ${link}` : `the host's route through ${link}` });
  }
  for (const address of nameservers()) {
    taken.push({ subnet: { address, prefix: address.family === 4 ? 32 : 128 }, by: 'a resolver of /etc/resolv.conf' });
  }
  return taken;
}

function nameservers() {
  let content: string;
  try {
    content = readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return [];
  }
  return [...content.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map((match) => parseAddress(match[1]!))
    .filter((address) => address !== undefined);
}
