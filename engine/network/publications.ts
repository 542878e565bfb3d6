/** Published ports as elements of the maps that translate them. */
import type { ContainerRecord, Endpoint, NetworkRecord, PublishedPort } from '../../schemas/container.ts';
import { addressBytes, parseAddress } from './address.ts';
import { type Element, field } from './nft/messages.ts';

const protocols = { tcp: 6, udp: 17 };

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
  const internal = new Set(input.networks.filter((record) => record.isInternal).map((record) => record.name));
  const bound = new Map<string, Element>();
  const any = new Map<string, Element>();
  for (const { endpoints, ports } of input.containers) {
    const target = targetOf(endpoints, internal, key);
    if (!target) continue;
    for (const published of ports) {
      const host = parseAddress(published.hostAddress || '0.0.0.0');
      if (!host || (key === 'ipv4' ? 4 : 6) !== host.family) continue;
      const element = elementOf(published, target, host.value === 0n ? undefined : addressBytes(host));
      // The kernel refuses a key that comes twice.
      (host.value === 0n ? any : bound).set(Buffer.from(element.key).toString('hex'), element);
    }
  }
  return { bound: [...bound.values()], any: [...any.values()] };
}

function targetOf(endpoints: Endpoint[], internal: Set<string>, key: 'ipv4' | 'ipv6'): Buffer | undefined {
  const open = endpoints.filter((endpoint) => endpoint[key] && !internal.has(endpoint.networkName));
  const chosen = open.find((endpoint) => endpoint.isDefaultRoute) ?? open[0];
  return chosen && addressBytes(parseAddress(chosen[key]!.address)!);
}

function elementOf(published: PublishedPort, target: Buffer, host: Buffer | undefined): Element {
  const { protocol, hostPort, containerPort } = published;
  return {
    key: Buffer.concat([...(host ? [host] : []), field(Buffer.of(protocols[protocol])), portField(hostPort)]),
    data: Buffer.concat([target, portField(containerPort)]),
  };
}
