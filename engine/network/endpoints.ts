/** The addresses, names and order of a container's interfaces. */

import { parseAddress } from '../../planner/network/address.ts';
import { bridgeOptions } from '../../planner/network/bridge-options.ts';
import { readLinkLocal, readMac } from '../../planner/network/interface.ts';
import { parentOptions } from '../../planner/network/parent-options.ts';
import type { ContainerRecord, Endpoint, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service, ServiceNetwork } from '../../schemas/project.ts';
import { hostInterfaceName, macOf } from './identity.ts';
import { addressKey, chooseAddress, type Use } from './leases.ts';

export interface EndpointRequest {
  stack: string;
  id: string;
  name: string;
  service: string;
  /** Made by `run`: it does not answer to the service's name. */
  isOneOff: boolean;
  config: Service;
  /** The networks of the stack as they exist, by key of the stack file. */
  networks: Map<string, NetworkRecord>;
  /** The whole stack: addresses that other services ask for are left to them. */
  project?: Pick<Project, 'services'> | undefined;
  /** What the container has already: names are not given twice, and the default routes stay where they are. */
  present?: Endpoint[] | undefined;
  /** The container it replaces, not among those in use any more: its addresses are kept where they are free. */
  replaces?: Pick<ContainerRecord, 'id' | 'endpoints'> | undefined;
}

/**
 * The endpoints of a container: `eth0` is the network of the highest priority. `use` answers what is taken on a
 * network and is left as it is.
 * @throws StackError network.not-found, network.address, network.address-exhausted
 */
export function makeEndpoints(request: EndpointRequest, use: (network: NetworkRecord) => Use): Endpoint[] {
  const { id, config, present = [] } = request;
  const joined = Object.entries(config.networks ?? {}).map(([key, options]) => ({ key, options: options ?? {} }));
  joined.sort(
    (a, b) => (b.options.priority ?? 0) - (a.options.priority ?? 0) || (a.key < b.key ? -1 : Number(a.key > b.key)),
  );
  const records = joined.map(({ key }) => recordOf(request, key));
  const gateway = present.some(({ isDefaultRoute }) => isDefaultRoute) ? -1 : gatewayIndex(joined, records);
  const names = new Set([
    ...joined.map(({ options }) => options.interface_name),
    ...present.map((one) => one.interface),
  ]);
  const outside = new Set(present.map(({ hostInterface }) => hostInterface));
  return joined.map(({ key, options }, index) => {
    const record = records[index]!;
    const { interfacePrefix, isConnected } = bridgeOptions(record.config);
    const taken = use(record);
    const ipv4 = chooseAddress('ipv4', { ...request, key, record, taken });
    const ipv6 = chooseAddress('ipv6', { ...request, key, record, taken });
    return {
      network: key,
      networkName: record.name,
      ...(record.id ? { networkId: record.id } : {}),
      interface: options.interface_name ?? freeName(names, interfacePrefix),
      hostInterface: record.parent ? '' : freeHostName(outside, id),
      bridge: record.bridge,
      ...(record.parent ? { parent: parentOptions(record.config) } : {}),
      mac: macAsked(request, options, index) ?? macOf((ipv4 ?? ipv6)!.address),
      ...(ipv4 ? { ipv4 } : {}),
      ...(ipv6 ? { ipv6 } : {}),
      ...linkLocalOf(options),
      aliases: [
        ...new Set([...(request.isOneOff ? [] : [request.service, ...(options.aliases ?? [])]), id.slice(0, 12)]),
      ],
      slot: freeSlot(taken, record),
      ...(isConnected ? {} : { isIsolated: true }),
      isDefaultRoute: index === gateway,
    };
  });
}

function recordOf({ networks, name }: EndpointRequest, key: string): NetworkRecord {
  const record = networks.get(key);
  if (record) return record;
  throw new StackError('network.not-found', {
    message: `The container ${name} is to join the network ${key}, which does not exist.`,
    hint: 'Run `stack up`: it makes the networks of the stack file.',
    resource: `container ${name}`,
  });
}

/** Highest gw_priority among the networks that lead out; then the order of interfaces. */
function gatewayIndex(joined: { options: ServiceNetwork }[], records: NetworkRecord[]): number {
  let best = -1;
  for (const [index, { options }] of joined.entries()) {
    if (records[index]!.isInternal) continue;
    if (best < 0 || (options.gw_priority ?? 0) > (joined[best]!.options.gw_priority ?? 0)) best = index;
  }
  return best;
}

/** Those that are none are told where the stack file is checked. */
function linkLocalOf({ link_local_ips: asked = [] }: ServiceNetwork): Pick<Endpoint, 'linkLocal'> {
  const linkLocal = asked.map(readLinkLocal).filter((address) => address !== undefined);
  return linkLocal.length > 0 ? { linkLocal } : {};
}

/** The address asked for: of the endpoint, or of the service for its first interface. Colons between the bytes. */
function macAsked({ config, name }: EndpointRequest, options: ServiceNetwork, index: number): string | undefined {
  const asked = options.mac_address ?? (index === 0 ? config.mac_address : undefined);
  if (asked === undefined) return undefined;
  const mac = readMac(asked);
  if (mac) return mac;
  throw new StackError('network.address', {
    message: `The container ${name} cannot have the MAC address ${asked}: it is not one of a single interface.`,
    hint: 'Write six bytes of which the first is even: 02:42:ac:12:00:05.',
    resource: `container ${name}`,
  });
}

function freeHostName(outside: Set<string>, id: string): string {
  let index = 0;
  while (outside.has(hostInterfaceName(id, index))) index++;
  outside.add(hostInterfaceName(id, index));
  return hostInterfaceName(id, index);
}

/** The prefix with the first number that makes a name nobody has. */
function freeName(names: Set<string | undefined>, prefix: string): string {
  let number = 0;
  while (names.has(`${prefix}${number}`)) number++;
  names.add(`${prefix}${number}`);
  return `${prefix}${number}`;
}

/** Slots of the name table of a network; 65536 of them (see engine/network/names). */
function freeSlot(use: Use, record: NetworkRecord): number {
  for (let slot = 0; slot < 65536; slot++) if (!use.slots.has(slot)) return slot;
  throw new StackError('network.address-exhausted', {
    message: `Network ${record.name} already has 65536 containers.`,
    resource: `network ${record.name}`,
  });
}

/** Use of one network by `containers`. */
export function useOf(networkName: string, containers: Pick<ContainerRecord, 'id' | 'endpoints'>[]): Use {
  const use: Use = { addresses: new Map(), slots: new Set() };
  for (const { id, endpoints } of containers) {
    for (const endpoint of endpoints) {
      if (endpoint.networkName !== networkName) continue;
      use.slots.add(endpoint.slot);
      for (const family of [endpoint.ipv4, endpoint.ipv6]) {
        if (family) use.addresses.set(addressKey(parseAddress(family.address)!), id);
      }
    }
  }
  return use;
}

/** Links on the host. */
export const hostInterfaces = (endpoints: Endpoint[]): string[] =>
  endpoints.map((endpoint) => endpoint.hostInterface).filter((name) => name !== '');
