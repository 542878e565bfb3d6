/** The addresses, names and order of a container's interfaces. */
import type { ContainerRecord, Endpoint, InterfaceAddress, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Service, ServiceNetwork } from '../../schemas/project.ts';
import {
  type Address,
  broadcast,
  contains,
  formatAddress,
  network,
  offset,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './address.ts';
import { hostInterfaceName, macOf } from './identity.ts';

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
  /** The container it replaces, not among those in use any more: its addresses are kept where they are free. */
  replaces?: Pick<ContainerRecord, 'id' | 'endpoints'> | undefined;
}

/** What is in use on one network. */
export interface Use {
  /** Container id by address in RFC 5952 text. */
  addresses: Map<string, string>;
  slots: Set<number>;
}

/**
 * The endpoints of a container: `eth0` is the network of the highest priority. `use` answers what is taken on a
 * network and is left as it is.
 * @throws StackError network.not-found, network.address, network.address-exhausted
 */
export function makeEndpoints(request: EndpointRequest, use: (network: NetworkRecord) => Use): Endpoint[] {
  const { id, config } = request;
  const joined = Object.entries(config.networks ?? {}).map(([key, options]) => ({ key, options: options ?? {} }));
  joined.sort(
    (a, b) => (b.options.priority ?? 0) - (a.options.priority ?? 0) || (a.key < b.key ? -1 : Number(a.key > b.key)),
  );
  const records = joined.map(({ key }) => recordOf(request, key));
  const gateway = gatewayIndex(joined, records);
  return joined.map(({ key, options }, index) => {
    const record = records[index]!;
    const taken = use(record);
    const ipv4 = record.ipv4 && address(record, record.ipv4, options.ipv4_address, taken, request);
    const ipv6 = record.ipv6 && address(record, record.ipv6, options.ipv6_address, taken, request);
    return {
      network: key,
      networkName: record.name,
      interface: options.interface_name ?? `eth${index}`,
      hostInterface: hostInterfaceName(id, index),
      bridge: record.bridge,
      mac: options.mac_address ?? (index === 0 ? config.mac_address : undefined) ?? macOf((ipv4 ?? ipv6)!.address),
      ...(ipv4 ? { ipv4 } : {}),
      ...(ipv6 ? { ipv6 } : {}),
      aliases: [
        ...new Set([...(request.isOneOff ? [] : [request.service, ...(options.aliases ?? [])]), id.slice(0, 12)]),
      ],
      slot: freeSlot(taken, record),
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

function address(
  record: NetworkRecord,
  { subnet: subnetText, gateway }: { subnet: string; gateway: string },
  wanted: string | undefined,
  use: Use,
  { id, name, replaces }: EndpointRequest,
): InterfaceAddress {
  const subnet = parseSubnet(subnetText)!;
  const reserved = reservedAddresses(record, gateway);
  const chosen = wanted
    ? checked(wanted, subnet, record, reserved, use, id, name)
    : (former(replaces, subnet, record, reserved, use) ?? lowestFree(subnet, record, reserved, use, id));
  return {
    address: formatAddress(chosen),
    prefix: subnet.prefix,
    ...(record.isInternal ? {} : { gateway }),
  };
}

/** The address that the replaced container had, where it still fits. */
function former(
  replaces: EndpointRequest['replaces'],
  subnet: Subnet,
  record: NetworkRecord,
  reserved: Set<string>,
  use: Use,
): Address | undefined {
  const endpoint = replaces?.endpoints.find(({ networkName }) => networkName === record.name);
  const parsed = parseAddress(endpoint?.[`ipv${subnet.address.family}`]?.address ?? '');
  if (!parsed || !contains(subnet, parsed) || !isHost(parsed, subnet)) return undefined;
  const text = formatAddress(parsed);
  return reserved.has(text) || use.addresses.has(text) ? undefined : parsed;
}

function reservedAddresses(record: NetworkRecord, gateway: string): Set<string> {
  const auxiliary = (record.config.ipam.config ?? []).flatMap((pool) => Object.values(pool.aux_addresses ?? {}));
  return new Set([gateway, ...auxiliary].map((text) => formatAddress(parseAddress(text)!)));
}

function checked(
  wanted: string,
  subnet: Subnet,
  record: NetworkRecord,
  reserved: Set<string>,
  use: Use,
  id: string,
  name: string,
): Address {
  const parsed = parseAddress(wanted);
  const refuse = (why: string) =>
    new StackError('network.address', {
      message: `The container ${name} cannot have the address ${wanted} on network ${record.name}: ${why}.`,
      hint: `Choose a free address of ${record.ipv4?.subnet ?? ''} ${record.ipv6?.subnet ?? ''}`.trimEnd().concat('.'),
      resource: `container ${name}`,
    });
  if (!parsed || !contains(subnet, parsed))
    throw refuse(`it is not in ${record[`ipv${subnet.address.family}`]?.subnet}`);
  const text = formatAddress(parsed);
  if (reserved.has(text)) throw refuse('it is the gateway or one of aux_addresses');
  if (!isHost(parsed, subnet)) throw refuse('it is the address of the network itself');
  const holder = use.addresses.get(text);
  if (holder !== undefined && holder !== id) throw refuse(`container ${holder.slice(0, 12)} has it`);
  return parsed;
}

function lowestFree(subnet: Subnet, record: NetworkRecord, reserved: Set<string>, use: Use, id: string): Address {
  const family = subnet.address.family;
  const rangeText = (record.config.ipam.config ?? []).find(
    (pool) => pool.ip_range && parseSubnet(pool.ip_range)?.address.family === family,
  )?.ip_range;
  const range = rangeText ? parseSubnet(rangeText)! : subnet;
  const last = broadcast(range).value;
  for (let candidate = network(range); candidate.value <= last; candidate = offset(candidate, 1)) {
    const text = formatAddress(candidate);
    const holder = use.addresses.get(text);
    if (isHost(candidate, subnet) && !reserved.has(text) && (holder === undefined || holder === id)) return candidate;
  }
  throw new StackError('network.address-exhausted', {
    message: `Network ${record.name} has no free address left in ${rangeText ?? record[`ipv${family}`]?.subnet}.`,
    hint: 'Give the network a larger subnet under ipam.config, or remove containers.',
    resource: `network ${record.name}`,
  });
}

/** Neither the subnet's first address (network, or IPv6 subnet-router anycast) nor IPv4's last (broadcast). */
function isHost(address: Address, subnet: Subnet): boolean {
  if (address.value === network(subnet).value) return false;
  return address.family === 6 || address.value !== broadcast(subnet).value;
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
      for (const family of [endpoint.ipv4, endpoint.ipv6]) if (family) use.addresses.set(family.address, id);
    }
  }
  return use;
}
