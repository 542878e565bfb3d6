/** The files below /etc that the engine writes for a container: hosts, hostname, resolv.conf. Pure. */
import type { ContainerRecord } from '../../schemas/container.ts';
import { extraHosts, hostnameFile, hostsFile, resolverFiles } from './spec-files.ts';

/** What the host has, for containers in its network and as the source of upstream name servers. */
export interface HostFiles {
  hostname: string;
  hosts: string;
  resolvConf: string;
}

export interface ContainerFiles {
  hosts: string;
  hostname: string;
  resolvConf: string;
  /** Name servers the container's resolver asks: `dns`, or the host's. */
  upstreams: string[];
}

/** @throws config.value for an entry of extra_hosts that cannot be. */
export function containerFiles(record: ContainerRecord, host: HostFiles): ContainerFiles {
  const { config, endpoints } = record;
  const isHostNetwork = config.network_mode === 'host';
  const hostname = config.hostname ?? (isHostNetwork ? host.hostname : record.id.slice(0, 12));
  const extra = extraHosts(config.extra_hosts ?? [], hostGateway(record), `services.${record.service}`);
  const resolver = resolverFiles({
    host: host.resolvConf,
    dns: config.dns,
    dnsSearch: config.dns_search,
    dnsOptions: config.dns_opt,
    mode: isHostNetwork ? 'host' : endpoints.length > 0 ? 'stack' : 'none',
  });
  const addresses = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4?.address, ipv6?.address]);
  return {
    hostname: hostnameFile(hostname),
    hosts: hostsFile({
      base: isHostNetwork ? host.hosts : undefined,
      extra,
      hostname,
      domainname: config.domainname,
      addresses: addresses.filter((address) => address !== undefined),
    }),
    resolvConf: resolver.content,
    upstreams: resolver.upstreams,
  };
}

/** The host as the container reaches it; empty where it cannot. */
function hostGateway({ config, endpoints }: ContainerRecord): string[] {
  if (config.network_mode === 'host') return ['127.0.0.1'];
  // The gateway of what stands on an interface of the host is some other router.
  const bridged = endpoints.filter(({ bridge }) => bridge !== '');
  const chosen = bridged.find((endpoint) => endpoint.isDefaultRoute) ?? bridged[0];
  return [chosen?.ipv4?.gateway ?? chosen?.ipv6?.gateway].filter((address) => address !== undefined);
}
