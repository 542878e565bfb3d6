/**
 * Joins a container's network namespace to the bridges of its networks: veth pairs whose inner ends are born inside
 * the namespace, in one batch outside and one inside.
 */
import { setTimeout } from 'node:timers/promises';
import { parseAddress } from '../../planner/network/address.ts';
import type { Endpoint } from '../../schemas/container.ts';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd, NetworkVerbs } from '../../schemas/kernel.ts';
import { findBridges } from './bridges.ts';
import { endpointAlias, linkGroup } from './identity.ts';
import { addAddress } from './netlink/address.ts';
import {
  addOnParent,
  addVeth,
  getLink,
  type Link,
  RTM_NEWLINK,
  readLink,
  removeLinks,
  setLink,
  setPort,
  withoutLinkLocal,
} from './netlink/link.ts';
import type { Request } from './netlink/message.ts';
import { protocol, send } from './netlink/netlink.ts';
import { addDefaultRoute } from './netlink/route.ts';
import { scratchGroup } from './reaper.ts';
import { redirectResolver } from './resolver-redirect.ts';

const DEFAULT_MTU = 1500;

export interface Attachment {
  namespace: Fd;
  stack: string;
  /** Container id. */
  id: string;
  endpoints: Endpoint[];
  /** The bridges as the kernel has them, by name. */
  bridges: Map<string, Link>;
  /** The namespace is that of a container that runs: its other interfaces and routes are there. */
  isRunning?: boolean | undefined;
  /** The kernel passes bridged packets through its IP hooks (net.bridge.bridge-nf-call-iptables). */
  isBridgeFiltered: boolean;
}

/**
 * The namespace's loopback comes up, and each endpoint with its addresses and the default routes; 127.0.0.11:53 leads
 * to the container's resolver.
 * @throws StackError network.kernel
 */
export async function attach(kernel: NetworkVerbs, attachment: Attachment): Promise<void> {
  const isAlone = attachment.endpoints.length === 0;
  const redirected = isAlone || attachment.isRunning ? undefined : redirectResolver(kernel, attachment.namespace);
  const [peers, standing] = await Promise.all([join(kernel, attachment), stand(kernel, attachment), redirected]);
  for (const [name, index] of standing) peers.set(name, index);
  await send(
    kernel,
    protocol.route,
    attachment.namespace,
    insideRequests(attachment.endpoints, peers, attachment.isRunning),
  );
}

/** As {@link join}, for the interfaces that stand on one of the host's. */
async function stand(kernel: NetworkVerbs, { namespace, endpoints }: Attachment): Promise<Map<string, number>> {
  const standing = endpoints.filter((endpoint) => endpoint.parent);
  if (standing.length === 0) return new Map();
  const parents = await findBridges(
    kernel,
    standing.map((endpoint) => endpoint.parent!.parent),
  );
  const requests = standing.map(({ parent, interface: name, mac, networkName }) => {
    const link = parents.get(parent!.parent);
    if (!link) throw gone(networkName, `interface ${parent!.parent}`);
    return addOnParent({ ...parent!, name, mac, parent: link.index, namespace });
  });
  await send(kernel, protocol.route, null, requests);
  await bringUp(kernel, namespace, standing);
  const inside = standing.map((endpoint) => getLink(endpoint.interface));
  const links = (await send(kernel, protocol.route, namespace, inside)).map(readLink);
  return new Map(links.map(({ name, index }) => [name, index]));
}

/** How long a namespace whose last process is gone may take to be taken down, in ms. */
const longestTakeDown = 5_000;

/** A container's former namespace may still be taken down: until then its interface has the same hardware address. */
async function bringUp(kernel: NetworkVerbs, namespace: Fd, standing: Endpoint[]): Promise<void> {
  const requests = standing.flatMap(({ interface: name, ipv6 }) => [
    ...(ipv6 ? [] : [withoutLinkLocal(name)]),
    setLink(name, { isUp: true }),
  ]);
  const until = performance.now() + longestTakeDown;
  for (;;) {
    try {
      await send(kernel, protocol.route, namespace, requests);
      return;
    } catch (thrown) {
      if (asStackError(thrown).errno !== 'EADDRINUSE' || performance.now() > until) throw thrown;
      await setTimeout(20);
    }
  }
}

/** Where {@link join} and {@link stand} note an interface. */
const noted = ({ hostInterface, interface: name }: Endpoint): string => hostInterface || name;

function gone(network: string, what: string): StackError {
  return new StackError('network.not-found', {
    message: `The ${what} of network ${network} is gone.`,
    hint: 'Run `stack up` again: it makes the network anew.',
    resource: `network ${network}`,
  });
}

/** Index inside the namespace of each endpoint's interface, by the name of the host's end. */
async function join(kernel: NetworkVerbs, attachment: Attachment): Promise<Map<string, number>> {
  const onBridges = attachment.endpoints.filter((endpoint) => !endpoint.parent);
  const requests = hostRequests({ ...attachment, endpoints: onBridges });
  const names = onBridges.map((endpoint) => endpoint.hostInterface);
  try {
    return peersOf(await send(kernel, protocol.route, null, requests));
  } catch (thrown) {
    if (asStackError(thrown).errno !== 'EEXIST') throw thrown;
    // The container's former namespace is still being taken down: its links have the same names.
    await send(kernel, protocol.route, null, names.length > 0 ? removeLinks(names, scratchGroup()) : []);
    return peersOf(await send(kernel, protocol.route, null, requests));
  }
}

function peersOf(answers: { index: number; type: number; body: Buffer }[]): Map<string, number> {
  const links = answers.filter(({ type }) => type === RTM_NEWLINK).map(readLink);
  return new Map(links.map((link) => [link.name, link.peer]));
}

export function hostRequests({ namespace, stack, id, endpoints, bridges, isBridgeFiltered }: Attachment): Request[] {
  return endpoints.flatMap((endpoint) => {
    const bridge = bridges.get(endpoint.bridge);
    if (!bridge) throw gone(endpoint.networkName, `bridge ${endpoint.bridge}`);
    const name = endpoint.hostInterface;
    return [
      addVeth({
        name,
        master: bridge.index,
        group: linkGroup(stack),
        mtu: bridge.mtu === DEFAULT_MTU ? undefined : bridge.mtu,
        peer: { name: endpoint.interface, mac: endpoint.mac, namespace },
      }),
      setLink(name, { alias: endpointAlias(stack, id) }),
      withoutLinkLocal(name),
      ...(isBridgeFiltered || endpoint.isIsolated
        ? [setPort(name, { hairpin: isBridgeFiltered, isolated: endpoint.isIsolated })]
        : []),
      setLink(name, { isUp: true }),
      getLink(name),
    ];
  });
}

/** ipvlan in its modes l3 and l3s routes by itself: no gateway is asked for (Documentation/networking/ipvlan.rst). */
const isRouting = ({ parent }: Endpoint): boolean => parent?.driver === 'ipvlan' && parent.mode !== 0;

export function insideRequests(endpoints: Endpoint[], peers: Map<string, number>, isRunning = false): Request[] {
  const requests = [setLink('lo', { isUp: true })];
  for (const endpoint of endpoints) {
    const index = peers.get(noted(endpoint))!;
    if (!endpoint.ipv6) requests.push(withoutLinkLocal(endpoint.interface));
    const own = [endpoint.ipv4, endpoint.ipv6, ...(endpoint.linkLocal ?? [])].filter((one) => one !== undefined);
    for (const { address, prefix } of own) {
      requests.push(addAddress(index, parseAddress(address)!, prefix, endpoint.interface));
    }
    requests.push(setLink(endpoint.interface, { isUp: true }));
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    const candidates = endpoints.filter((endpoint) => endpoint[family]?.gateway);
    const chosen = candidates.find((endpoint) => endpoint.isDefaultRoute) ?? candidates[0];
    if (!chosen || (isRunning && !chosen.isDefaultRoute)) continue;
    const gateway = parseAddress(chosen[family]!.gateway!)!;
    requests.push(addDefaultRoute(peers.get(noted(chosen))!, gateway, { isDirect: isRouting(chosen) }));
  }
  return requests;
}
