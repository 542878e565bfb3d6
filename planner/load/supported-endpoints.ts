/** What services ask for on their networks, as far as the stack file alone tells whether it can be. */
import type { Network, Service } from '../../schemas/project.ts';
import { contains, formatAddress, formatSubnet, parseAddress } from '../network/address.ts';
import { isLinkName } from '../network/bridge-options.ts';
import { isNameLink, readLinkLocal, readMac } from '../network/interface.ts';
import { readPools } from '../network/pools.ts';
import type { Fail } from './supported-networks.ts';

type Path = (string | number)[];

/** `networks`: those that the stack makes, by key. */
export function checkEndpoints(services: Record<string, Service>, networks: Record<string, Network>, fail: Fail): void {
  const addresses = new Map<string, Path>();
  for (const [name, service] of Object.entries(services)) {
    const at = ['services', name];
    if (service.mac_address !== undefined) checkMac([...at, 'mac_address'], service.mac_address, fail);
    for (const attribute of ['links', 'external_links'] as const) {
      for (const [index, link] of (service[attribute] ?? []).entries()) {
        const path = [...at, attribute, index];
        if (!isNameLink(link))
          fail(
            'config.value',
            path,
            `${path.join('.')}: ${JSON.stringify(link)} is no link`,
            'Write NAME or NAME:ALIAS.',
          );
      }
    }
    checkInterfaces(at, service, fail);
    for (const key of Object.keys(service.networks ?? {})) {
      checkAddresses([...at, 'networks', key], service, networks[key], addresses, fail);
    }
  }
}

function checkMac(path: Path, asked: string, fail: Fail): void {
  if (readMac(asked)) return;
  const hint = 'Write six bytes of which the first is even: 02:42:ac:12:00:05.';
  fail('config.value', path, `${path.join('.')}: ${asked} is not the MAC address of a single interface`, hint);
}

/** Names of interfaces, MAC and link-local addresses. */
function checkInterfaces(at: Path, service: Service, fail: Fail): void {
  const names = new Map<string, Path>();
  for (const [key, endpoint] of Object.entries(service.networks ?? {})) {
    const path = [...at, 'networks', key];
    if (endpoint?.mac_address !== undefined) checkMac([...path, 'mac_address'], endpoint.mac_address, fail);
    for (const [index, address] of (endpoint?.link_local_ips ?? []).entries()) {
      if (readLinkLocal(address)) continue;
      const where = [...path, 'link_local_ips', index];
      fail(
        'config.value',
        where,
        `${where.join('.')}: ${address} is no link-local address`,
        'Write one of 169.254.0.0/16 or fe80::/64.',
      );
    }
    const name = endpoint?.interface_name;
    if (name === undefined) continue;
    const where = [...path, 'interface_name'];
    const message = `${where.join('.')}: ${JSON.stringify(name)}`;
    if (!isLinkName(name) || name === 'lo') {
      fail(
        'config.value',
        where,
        `${message} is no name of an interface`,
        'Write at most 15 letters, digits, dots and hyphens.',
      );
    } else if (names.has(name)) {
      fail(
        'config.value',
        where,
        `${message} is the name of another interface of the service`,
        undefined,
        names.get(name),
      );
    }
    names.set(name, where);
  }
}

/** Static addresses: inside the subnet, not the gateway, and of one container alone. */
function checkAddresses(
  path: Path,
  service: Service,
  network: Network | undefined,
  taken: Map<string, Path>,
  fail: Fail,
): void {
  const key = String(path.at(-1));
  const asked = network ? readPools(network).asked : {};
  for (const family of ['ipv4', 'ipv6'] as const) {
    const written = service.networks?.[key]?.[`${family}_address`];
    if (written === undefined) continue;
    const where = [...path, `${family}_address`];
    const refuse = (why: string, hint?: string, other?: Path) =>
      fail('network.address', where, `${where.join('.')}: ${written} ${why}`, hint, other);
    const address = parseAddress(written);
    if (!address || address.family !== (family === 'ipv4' ? 4 : 6)) {
      refuse(`is no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`);
      continue;
    }
    const pool = asked[family];
    const place = ['networks', key, 'ipam', 'config', pool?.index ?? 0, 'subnet'];
    if (pool && !contains(pool.subnet, address)) {
      refuse(
        `is not in the subnet ${formatSubnet(pool.subnet)} of the network`,
        `Choose an address of ${formatSubnet(pool.subnet)}.`,
        place,
      );
    } else if (pool?.gateway.value === address.value) {
      refuse('is the gateway of the network', 'Choose another address.', place);
    }
    const id = `${key} ${formatAddress(address)}`;
    if (taken.has(id))
      refuse('is asked for by another service too', 'Give each service an address of its own.', taken.get(id));
    else taken.set(id, where);
    const copies = service.scale ?? service.deploy?.replicas ?? 1;
    if (copies > 1) refuse(`cannot be the address of ${copies} containers`, 'Remove the address or the scale.');
  }
}
