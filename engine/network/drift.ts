/** How the kernel's part of a network differs from its record: what somebody changed behind our back. */

import { formatAddress, parseAddress } from '../../planner/network/address.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { findBridges } from './bridges.ts';
import { hasHostAddress } from './definition.ts';
import { getAddresses, readAddress } from './netlink/address.ts';
import type { Link } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';
import { getTables, readTable } from './nft/messages.ts';
import { stackTable } from './rules.ts';

export interface ObservedBridge {
  exists: boolean;
  /** In words; absent where there is none. */
  drift?: string[];
}

/**
 * Answers, for each of `records`, what the kernel has of it. `inUse`: names of networks that containers of their own stack run
 * on, which have rules for it. @throws StackError network.kernel
 */
export async function observeBridges(
  kernel: NetworkVerbs,
  records: NetworkRecord[],
  inUse: Set<string>,
): Promise<(record: NetworkRecord) => ObservedBridge> {
  if (records.length === 0) return () => ({ exists: false });
  const links = await findBridges(
    kernel,
    records.map(({ bridge, parent }) => parent ?? bridge),
  );
  const addresses = links.size > 0 ? await addressesByLink(kernel) : new Map<number, string[]>();
  const tables = inUse.size > 0 ? await tableNames(kernel) : new Set<string>();
  return (record) => {
    const link = links.get(record.parent ?? record.bridge);
    if (!link) return { exists: false };
    // The interface that it stands on is the host's own.
    if (record.parent) return { exists: true };
    const drift = driftOf(record, link, addresses.get(link.index) ?? []);
    if (inUse.has(record.name) && !tables.has(stackTable(record.stack).name)) drift.push('its firewall rules are gone');
    return drift.length > 0 ? { exists: true, drift } : { exists: true };
  };
}

async function tableNames(kernel: NetworkVerbs): Promise<Set<string>> {
  const answers = await send(kernel, protocol.netfilter, null, [getTables()]);
  return new Set(answers.map((answer) => readTable(answer).name));
}

async function addressesByLink(kernel: NetworkVerbs): Promise<Map<number, string[]>> {
  const found = new Map<number, string[]>();
  for (const answer of await send(kernel, protocol.route, null, [getAddresses()])) {
    const address = readAddress(answer);
    if (!address) continue;
    const { index, subnet } = address;
    found.set(index, [...(found.get(index) ?? []), `${formatAddress(subnet.address)}/${subnet.prefix}`]);
  }
  return found;
}

/** `addresses`: those of the bridge, with their prefixes. Others beside ours do no harm, and are told only where ours lacks. */
function driftOf(record: NetworkRecord, link: Link, addresses: string[]): string[] {
  const { bridge, mtu } = record;
  const drift: string[] = [];
  if (!link.isUp) drift.push(`its bridge ${bridge} is down`);
  if (mtu !== undefined && link.mtu !== mtu) drift.push(`its bridge ${bridge} has the MTU ${link.mtu} and not ${mtu}`);
  const wanted = (['ipv4', 'ipv6'] as const).flatMap((key) => {
    const family = record[key];
    if (!family || !hasHostAddress(record, key)) return [];
    return [`${formatAddress(parseAddress(family.gateway)!)}/${family.subnet.replace(/^.*\//, '')}`];
  });
  for (const address of wanted) {
    if (addresses.includes(address)) continue;
    const others = addresses.filter(
      (other) => !wanted.includes(other) && other.includes(':') === address.includes(':'),
    );
    const has = others.filter((other) => !other.startsWith('fe80:'));
    drift.push(
      has.length > 0
        ? `its bridge ${bridge} has the address ${has.join(' and ')} and not ${address}`
        : `its bridge ${bridge} lacks its address ${address}`,
    );
  }
  return drift;
}
