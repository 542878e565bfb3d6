/** The files below /etc that the engine writes for a container: hosts, hostname, resolv.conf. Pure. */
import type { ContainerRecord } from '../../schemas/container.ts';

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

const embedded = '127.0.0.11';
const fallbackUpstreams = ['8.8.8.8', '8.8.4.4'];

const localHosts = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

export function containerFiles(record: ContainerRecord, host: HostFiles): ContainerFiles {
  const { config } = record;
  const isHostNetwork = config.network_mode === 'host';
  const hostname = config.hostname ?? (isHostNetwork ? host.hostname : record.id.slice(0, 12));
  const parsed = parseResolvConf(host.resolvConf);
  const upstreams = config.dns?.length
    ? config.dns
    : parsed.nameservers.length > 0
      ? parsed.nameservers
      : fallbackUpstreams;
  return {
    hostname: `${hostname}\n`,
    hosts: isHostNetwork ? withExtraHosts(host.hosts, record) : ownHosts(record, hostname),
    resolvConf: resolvConf(record, parsed, upstreams, host.resolvConf),
    upstreams,
  };
}

function ownHosts(record: ContainerRecord, hostname: string): string {
  const names = record.config.domainname ? `${hostname}.${record.config.domainname} ${hostname}` : hostname;
  const own = record.endpoints
    .flatMap((endpoint) => [endpoint.ipv4?.address, endpoint.ipv6?.address])
    .filter((address) => address !== undefined)
    .map((address) => `${address}\t${names}`);
  return withExtraHosts(`${localHosts.join('\n')}\n`, record, own);
}

/** `extra_hosts` as `name=address` or `name:address`; `host-gateway` is the host as the container reaches it. */
function withExtraHosts(text: string, record: ContainerRecord, own: string[] = []): string {
  const extra = (record.config.extra_hosts ?? []).flatMap((entry) => {
    const cut = entry.includes('=') ? entry.indexOf('=') : entry.indexOf(':');
    const name = entry.slice(0, cut);
    const address = entry.slice(cut + 1).replace(/^\[(.*)\]$/, '$1');
    const resolved = address === 'host-gateway' ? hostGateway(record) : address;
    return resolved ? [`${resolved}\t${name}`] : [];
  });
  return [text.trimEnd(), ...extra, ...own, ''].join('\n');
}

function hostGateway(record: ContainerRecord): string | undefined {
  if (record.config.network_mode === 'host') return '127.0.0.1';
  const chosen = record.endpoints.find((endpoint) => endpoint.isDefaultRoute) ?? record.endpoints[0];
  return chosen?.ipv4?.gateway ?? chosen?.ipv6?.gateway;
}

interface Resolver {
  nameservers: string[];
  search: string[];
  options: string[];
}

/** resolv.conf(5). */
export function parseResolvConf(text: string): Resolver {
  const out: Resolver = { nameservers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0]) out.nameservers.push(values[0]);
    if (keyword === 'search' || keyword === 'domain') out.search = values;
    if (keyword === 'options') out.options.push(...values);
  }
  return out;
}

function resolvConf(record: ContainerRecord, host: Resolver, upstreams: string[], hostText: string): string {
  const { config } = record;
  const isOwn = config.dns || config.dns_search || config.dns_opt;
  if (config.network_mode === 'host' && !isOwn) return hostText;
  const hasEndpoints = record.endpoints.length > 0;
  const search = (config.dns_search ?? host.search).filter((domain) => domain !== '.');
  const options = [...(config.dns_opt ?? host.options)];
  if (hasEndpoints && !options.some((option) => option.startsWith('ndots:'))) options.push('ndots:0');
  const servers = hasEndpoints ? [embedded] : config.network_mode === 'none' ? [] : upstreams;
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}
