/** Which address a container gets on a network. */

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
} from '../../planner/network/address.ts';
import type { ContainerRecord, InterfaceAddress, NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Project, Service } from '../../schemas/project.ts';

/** What is in use on one network. */
export interface Use {
  /** Container id by {@link addressKey}. */
  addresses: Map<bigint, string>;
  slots: Set<number>;
}

export interface LeaseRequest {
  id: string;
  name: string;
  service: string;
  config: Service;
  /** Key of the network in the stack file. */
  key: string;
  record: NetworkRecord;
  taken: Use;
  project?: Pick<Project, 'services'> | undefined;
  replaces?: Pick<ContainerRecord, 'id' | 'endpoints'> | undefined;
}

type Family = 'ipv4' | 'ipv6';

/** One number for an address of either family. */
export const addressKey = ({ family, value }: Address): bigint => (family === 4 ? value : value | (1n << 128n));

/**
 * The address asked for, else that of the container replaced, else the lowest free one; undefined on a network without
 * the family. Internal networks give no gateway.
 * @throws StackError network.address, network.address-exhausted
 */
export function chooseAddress(family: Family, request: LeaseRequest): InterfaceAddress | undefined {
  const { record, config, key } = request;
  const range = record[family];
  if (!range) return undefined;
  const subnet = parseSubnet(range.subnet)!;
  const wanted = config.networks?.[key]?.[`${family}_address`];
  const chosen = wanted ? checked(wanted, subnet, family, request) : unasked(subnet, family, request);
  return {
    address: formatAddress(chosen),
    prefix: subnet.prefix,
    ...(record.isInternal ? {} : { gateway: range.gateway }),
  };
}

function keysOf(texts: (string | undefined)[]): Set<bigint> {
  const addresses = texts.map((text) => parseAddress(text ?? '')).filter((address) => address !== undefined);
  return new Set(addresses.map(addressKey));
}

/** The gateway and aux_addresses. */
function setAside({ config, ipv4, ipv6 }: NetworkRecord): Set<bigint> {
  const auxiliary = (config.ipam.config ?? []).flatMap((pool) => Object.values(pool.aux_addresses ?? {}));
  return keysOf([ipv4?.gateway, ipv6?.gateway, ...auxiliary]);
}

/** What other services of the stack file ask for on this network: theirs, made already or not. */
function askedByOthers({ project, service, key }: LeaseRequest, family: Family): Set<bigint> {
  const others = Object.entries(project?.services ?? {}).filter(([name]) => name !== service);
  return keysOf(others.map(([, { networks }]) => networks?.[key]?.[`${family}_address`]));
}

function checked(wanted: string, subnet: Subnet, family: Family, { id, name, record, taken }: LeaseRequest): Address {
  const parsed = parseAddress(wanted);
  const refuse = (why: string) =>
    new StackError('network.address', {
      message: `The container ${name} cannot have the address ${wanted} on network ${record.name}: ${why}.`,
      hint: `Choose a free address of ${record[family]?.subnet}.`,
      resource: `container ${name}`,
    });
  if (!parsed || !contains(subnet, parsed)) throw refuse(`it is not in ${record[family]?.subnet}`);
  if (setAside(record).has(addressKey(parsed))) throw refuse('it is the gateway or one of aux_addresses');
  if (!isHost(parsed, subnet)) throw refuse('it is the address of the network itself');
  const holder = taken.addresses.get(addressKey(parsed));
  if (holder !== undefined && holder !== id) throw refuse(`container ${holder.slice(0, 12)} has it`);
  return parsed;
}

function unasked(subnet: Subnet, family: Family, request: LeaseRequest): Address {
  const { id, record, taken, replaces } = request;
  const kept = [setAside(record), askedByOthers(request, family)];
  const isFree = (address: Address) => {
    const key = addressKey(address);
    const holder = taken.addresses.get(key);
    return isHost(address, subnet) && !kept.some((keys) => keys.has(key)) && (holder === undefined || holder === id);
  };
  const endpoint = replaces?.endpoints.find(({ networkName }) => networkName === record.name);
  const former = parseAddress(endpoint?.[family]?.address ?? '');
  if (former && contains(subnet, former) && isFree(former)) return former;
  const rangeText = (record.config.ipam.config ?? []).find(
    (pool) => pool.ip_range && parseSubnet(pool.ip_range)?.address.family === subnet.address.family,
  )?.ip_range;
  const range = rangeText ? parseSubnet(rangeText)! : subnet;
  const last = broadcast(range).value;
  for (let candidate = network(range); candidate.value <= last; candidate = offset(candidate, 1)) {
    if (isFree(candidate)) return candidate;
  }
  throw new StackError('network.address-exhausted', {
    message: `Network ${record.name} has no free address left in ${rangeText ?? record[family]?.subnet}.`,
    hint: 'Give the network a larger subnet under ipam.config, or remove containers.',
    resource: `network ${record.name}`,
  });
}

/** Neither the subnet's first address (network, or IPv6 subnet-router anycast) nor IPv4's last (broadcast). */
function isHost(address: Address, subnet: Subnet): boolean {
  if (address.value === network(subnet).value) return false;
  return address.family === 6 || address.value !== broadcast(subnet).value;
}
