/** Networks as `docker network ls --format json` and `docker network inspect` print them. */
import { type Endpoint, type NetworkRecord, noStack } from '../../schemas/container.ts';
import type { IpamPool } from '../../schemas/project.ts';
import type { ObservedContainer } from '../../schemas/snapshot.ts';
import { timestamp } from '../render/human.ts';

export interface NetworkEntry {
  CreatedAt: string;
  Driver: string;
  ID: string;
  IPv4: string;
  IPv6: string;
  Internal: string;
  Labels: string;
  Name: string;
  Scope: 'local';
}

export function networkEntry(record: NetworkRecord, isWhole: boolean): NetworkEntry {
  const { id = '', name, driver, isInternal, createdAt } = record;
  return {
    CreatedAt: createdAt ? timestamp(createdAt) : '',
    Driver: driver,
    ID: isWhole ? id : id.slice(0, 12),
    IPv4: String(record.ipv4 !== undefined),
    IPv6: String(record.ipv6 !== undefined),
    Internal: String(isInternal),
    Labels: Object.entries(labelsOf(record))
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Name: name,
    Scope: 'local',
  };
}

/** With those that docker compose puts on its networks. */
export function labelsOf({ stack, key, labels }: NetworkRecord): Record<string, string> {
  if (stack === noStack) return labels;
  return { ...labels, 'com.docker.compose.network': key, 'com.docker.compose.project': stack };
}

/** The document of `network inspect`: with the containers that run. */
export function networkDocument(record: NetworkRecord, containers: ObservedContainer[]): object {
  const { config, ipv4, ipv6 } = record;
  const pools = [ipv4, ipv6].filter((family) => family !== undefined);
  const running = containers.filter(({ status }) => status.pid > 0);
  return {
    Name: record.name,
    Id: record.id ?? '',
    Created: record.createdAt ?? '0001-01-01T00:00:00Z',
    Scope: 'local',
    Driver: record.driver,
    EnableIPv4: ipv4 !== undefined,
    EnableIPv6: ipv6 !== undefined,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: pools.map(({ subnet, gateway }) => ({
        Subnet: subnet,
        ...rangeOf(config.ipam.config, subnet),
        Gateway: gateway,
      })),
    },
    Internal: record.isInternal,
    Attachable: config.attachable ?? false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      running.flatMap(({ record: { id, name, endpoints } }) =>
        endpoints.filter((one) => one.networkName === record.name).map((one) => [id, endpointDocument(name, one)]),
      ),
    ),
    Options: config.driver_opts ?? {},
    Labels: labelsOf(record),
  };
}

function rangeOf(pools: IpamPool[] | undefined, subnet: string) {
  const pool = pools?.find((one) => one.subnet === subnet);
  return {
    ...(pool?.ip_range ? { IPRange: pool.ip_range } : {}),
    ...(pool?.aux_addresses ? { AuxiliaryAddresses: pool.aux_addresses } : {}),
  };
}

function endpointDocument(name: string, { mac, ipv4, ipv6, hostInterface }: Endpoint): object {
  const shown = (address: Endpoint['ipv4']) => (address ? `${address.address}/${address.prefix}` : '');
  return { Name: name, EndpointID: hostInterface, MacAddress: mac, IPv4Address: shown(ipv4), IPv6Address: shown(ipv6) };
}
