/** The bridge of a network: made, addressed, found again. */

import { readFileSync } from 'node:fs';
import { parseAddress, parseSubnet } from '../../planner/network/address.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { hasHostAddress } from './definition.ts';
import { bridgeAlias, linkGroup, macOf } from './identity.ts';
import { addAddress } from './netlink/address.ts';
import { addBridge, getLink, type Link, RTM_NEWLINK, readLink, setLink, withoutLinkLocal } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';
import { addLoopbackRoute } from './netlink/route.ts';

/** Makes what is missing of the bridge and answers it as the kernel has it. */
export async function makeBridge(kernel: NetworkVerbs, record: NetworkRecord): Promise<Link> {
  const { bridge: name, stack, ipv4, ipv6, mtu } = record;
  const mac = macOf((ipv4 ?? ipv6)!.gateway);
  const answers = await send(kernel, protocol.route, null, [
    addBridge({ name, mac, group: linkGroup(stack), mtu }),
    // The MTU too: a bridge that is there may have been given another since.
    setLink(name, { alias: bridgeAlias(stack, record.name), mtu }),
    ...(ipv6 ? [] : [withoutLinkLocal(name)]),
    setLink(name, { isUp: true }),
    getLink(name),
  ]);
  const link = readLink(answers.find(({ type }) => type === RTM_NEWLINK)!);
  const sysctl = (what: string, value: string) =>
    kernel.writeSysctl(null, `net/ipv6/conf/${name}/${what}`, value).catch(ignoreMissing);
  // The stack file asks for IPv6 on this one link; what the host has decided for new links need not fit.
  if (ipv6) await sysctl('disable_ipv6', '0');
  const addresses = [
    ipv4 && hasHostAddress(record, 'ipv4') ? ipv4 : undefined,
    ipv6 && hasHostAddress(record, 'ipv6') ? ipv6 : undefined,
  ].filter((family) => family !== undefined);
  await Promise.all([
    send(kernel, protocol.route, null, [
      ...addresses.map(({ subnet, gateway }) =>
        addAddress(link.index, parseAddress(gateway)!, parseSubnet(subnet)!.prefix, name),
      ),
      ...(ipv6 && !record.isInternal ? [addLoopbackRoute(link.index)] : []),
    ]),
    // A container must not be able to hand the host a route (CVE-2020-13401).
    sysctl('accept_ra', '0'),
  ]);
  return link;
}

/**
 * A bridge whose name the stack file chose may be somebody else's link. Answers whether one is there that is ours.
 * @throws StackError network.overlap where the name is taken
 */
export async function claimBridge(kernel: NetworkVerbs, { bridge, stack, name }: BridgeClaim): Promise<boolean> {
  const link = (await findBridges(kernel, [bridge])).get(bridge);
  if (!link) return false;
  if (link.kind === 'bridge' && link.alias === bridgeAlias(stack, name)) return true;
  throw new StackError('network.overlap', {
    message: `Network ${name} cannot have the bridge ${bridge}: the host has a link of that name, which Stack did not make.`,
    hint: 'Choose another com.docker.network.bridge.name, or leave it out.',
    resource: `network ${name}`,
  });
}

/** `name`: of the network. */
export type BridgeClaim = Pick<NetworkRecord, 'bridge' | 'stack' | 'name'>;

/** The kernel may be without IPv6. */
function ignoreMissing(thrown: { code?: string }): void {
  if (thrown.code !== 'ENOENT') throw thrown;
}

/** The bridges among `names` that exist, by name. */
export async function findBridges(kernel: NetworkVerbs, names: string[]): Promise<Map<string, Link>> {
  const requests = names.map((name) => ({ ...getLink(name), tolerate: ['ENODEV'] }));
  const links = (await send(kernel, protocol.route, null, requests)).map(readLink);
  return new Map(links.map((link) => [link.name, link]));
}

/** Whether bridged packets pass the IP hooks (br_netfilter): off where the module is not there. */
export function isBridgeFiltered(): boolean {
  return ['iptables', 'ip6tables'].some((which) => {
    try {
      return readFileSync(`/proc/sys/net/bridge/bridge-nf-call-${which}`, 'utf8').trim() === '1';
    } catch {
      return false;
    }
  });
}
