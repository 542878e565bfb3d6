/** Published ports as elements of the maps that translate them. */

import { addressBytes, parseAddress } from '../../planner/network/address.ts';
import { bridgeOptions } from '../../planner/network/bridge-options.ts';
import type { ContainerRecord, Endpoint, NetworkRecord, PublishedPort } from '../../schemas/container.ts';
import { type Element, field } from './nft/messages.ts';

const protocols = { tcp: 6, udp: 17 };

export const protocolField = (name: keyof typeof protocols): Buffer => field(Buffer.of(protocols[name]));
const portField = (number: number): Buffer => field(Buffer.of(number >> 8, number & 255));

export interface PublicationInput {
  networks: NetworkRecord[];
  containers: Pick<ContainerRecord, 'endpoints' | 'ports'>[];
}

/**
 * The ports of one address family: `bound` to one host address (key: address, protocol, port) and on `any` address of
 * the host (protocol, port). The target is the container's address on the network of its default route. Internal
 * networks publish nothing; a port of a family that the container has no address of is left out.
 */
export function publications(input: PublicationInput, key: 'ipv4' | 'ipv6'): { bound: Element[]; any: Element[] } {
  const bound = new Map<string, Element>();
  const any = new Map<string, Element>();
  for (const { endpoints, ports } of input.containers) {
    const endpoint = targetOf(endpoints, input.networks, key);
    if (!endpoint) continue;
    const target = addressBytes(parseAddress(endpoint[key]!.address)!);
    for (const published of ports.filter(({ hostPort }) => hostPort > 0)) {
      const host = parseAddress(published.hostAddress || '0.0.0.0');
      if (!host || (key === 'ipv4' ? 4 : 6) !== host.family) continue;
      const element = elementOf(published, target, host.value === 0n ? undefined : addressBytes(host));
      // The kernel refuses a key that comes twice.
      (host.value === 0n ? any : bound).set(Buffer.from(element.key).toString('hex'), element);
    }
  }
  return { bound: [...bound.values()], any: [...any.values()] };
}

/** The endpoint that ports are published of. */
export function targetOf(endpoints: Endpoint[], networks: NetworkRecord[], key: 'ipv4' | 'ipv6'): Endpoint | undefined {
  const internal = new Set(networks.filter((record) => record.isInternal).map((record) => record.name));
  const open = endpoints.filter((one) => one.bridge !== '' && one[key] && !internal.has(one.networkName));
  return open.find((endpoint) => endpoint.isDefaultRoute) ?? open[0];
}

/** How the ports of a container that joins `networks` are published, as its networks ask. */
export interface Publishing {
  /** It has an IPv6 address: ports without a host address are published on `::` too. */
  hasIpv6: boolean;
  /** Where ports without a host address are published. */
  hostBinding?: string;
  /** Families in which they take no port of the host: they are open at the container's own address. */
  routed: ('ipv4' | 'ipv6')[];
}

export function publishingOf(endpoints: Endpoint[], networks: NetworkRecord[]): Publishing {
  const recordOf = (key: 'ipv4' | 'ipv6') => {
    const target = targetOf(endpoints, networks, key);
    return networks.find(({ name }) => name === target?.networkName);
  };
  const options = { ipv4: optionsOf(recordOf('ipv4')), ipv6: optionsOf(recordOf('ipv6')) };
  const hostBinding = options.ipv4?.hostBinding;
  // On an interface of the host a container's ports are open at its own address, and the host's are not its.
  const isStanding = endpoints.length > 0 && endpoints.every(({ bridge }) => bridge === '');
  return {
    hasIpv6: endpoints.some((endpoint) => endpoint.ipv6),
    ...(hostBinding ? { hostBinding } : {}),
    routed: (['ipv4', 'ipv6'] as const).filter((key) => isStanding || options[key]?.gatewayMode[key] === 'routed'),
  };
}

const optionsOf = (record: NetworkRecord | undefined) => record && bridgeOptions(record.config);

function elementOf(published: PublishedPort, target: Buffer, host: Buffer | undefined): Element {
  const { protocol, hostPort, containerPort } = published;
  return {
    key: Buffer.concat([...(host ? [host] : []), protocolField(protocol), portField(hostPort)]),
    data: Buffer.concat([target, portField(containerPort)]),
  };
}
