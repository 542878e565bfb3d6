/** Contents of the container's /etc/hosts, /etc/hostname and /etc/resolv.conf. Pure. Source: hosts(5), resolv.conf(5), compose-spec. */
import { isIP } from 'node:net';
import { StackError } from '../../schemas/errors.ts';

export interface HostsRequest {
  hostname: string;
  domainname?: string | undefined;
  /** The container's own addresses, IPv4 and IPv6. */
  addresses: string[];
  /** `name=address` or `name:address`; the address may be `host-gateway`. */
  extraHosts?: string[] | undefined;
  /** What `host-gateway` stands for: the host as the container reaches it. */
  hostGateway: string[];
  /** Without IPv6 its names stay out. */
  hasIpv6: boolean;
  resource: string;
}

/** @throws config.value for an entry that is no address, or a host-gateway where the host cannot be reached. */
export function hostsFile(request: HostsRequest): string {
  const lines: [string, string][] = [['127.0.0.1', 'localhost']];
  if (request.hasIpv6) {
    lines.push(
      ['::1', 'localhost ip6-localhost ip6-loopback'],
      ['fe00::', 'ip6-localnet'],
      ['ff00::', 'ip6-mcastprefix'],
      ['ff02::1', 'ip6-allnodes'],
      ['ff02::2', 'ip6-allrouters'],
    );
  }
  for (const entry of request.extraHosts ?? []) {
    for (const [name, address] of extraHost(entry, request)) lines.push([address, name]);
  }
  const { hostname, domainname } = request;
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  for (const address of request.addresses) lines.push([address, names]);
  return lines.map(([address, name]) => `${address}\t${name}\n`).join('');
}

function extraHost(entry: string, { hostGateway, resource }: HostsRequest): [name: string, address: string][] {
  const where = `${resource}.extra_hosts`;
  const [, name = '', written = ''] = /^([^=:\s]+)[=:](.+)$/.exec(entry) ?? [];
  const address = written.trim().replace(/^\[(.*)\]$/, '$1');
  if (address === 'host-gateway') {
    if (hostGateway.length > 0) return hostGateway.map((one) => [name, one]);
    throw new StackError('config.value', {
      message: `${where}: "${entry}": the service has no network through which the host could be reached`,
      hint: 'Give the service a network of its own that is not internal, or write an address.',
      resource: where,
    });
  }
  if (isIP(address) !== 0) return [[name, address]];
  throw new StackError('config.value', {
    message: `${where}: "${entry}" is not a name and an address`,
    hint: 'Write name=192.0.2.7, name=2001:db8::7 or name=host-gateway.',
    resource: where,
  });
}

export const hostnameFile = (hostname: string): string => `${hostname}\n`;

export interface ResolverRequest {
  /** The host's /etc/resolv.conf. */
  host: string;
  dns?: string[] | undefined;
  dnsSearch?: string[] | undefined;
  dnsOptions?: string[] | undefined;
  /** `stack`: our resolver answers on 127.0.0.11. `host`: the container sees the host's network and asks as it does. */
  mode: 'stack' | 'host';
}

export interface ResolverFiles {
  /** What the container reads. */
  content: string;
  /**
   * Servers for names the stack does not know, asked from the host's network, so that a loopback server of the host
   * (systemd-resolved) works. Empty where neither the service nor the host names one.
   */
  upstreams: string[];
}

/** Address of the resolver in every container. */
export const resolverAddress = '127.0.0.11';

/** `dns`, `dns_search` (`.` for none) and `dns_opt` each take the place of what the host has. */
export function resolverFiles(request: ResolverRequest): ResolverFiles {
  const host = parseResolvConf(request.host);
  const servers = request.dns?.length ? request.dns : host.servers;
  const search = request.dnsSearch?.length ? request.dnsSearch.filter((domain) => domain !== '.') : host.search;
  const options = request.dnsOptions?.length ? request.dnsOptions : host.options;
  const isOurs = request.mode === 'stack';
  // Names of services have no dots: they are asked as they are before any search domain is tried.
  const hasNdots = options.some((option) => option.startsWith('ndots:'));
  const all = isOurs && !hasNdots ? [...options, 'ndots:0'] : options;
  const lines = [
    ...(isOurs ? [resolverAddress] : servers).map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(all.length > 0 ? [`options ${all.join(' ')}`] : []),
  ];
  return { content: lines.map((line) => `${line}\n`).join(''), upstreams: isOurs ? servers : [] };
}

/** resolv.conf(5): the last `search` or `domain` line counts, `options` lines add up. */
export function parseResolvConf(text: string): { servers: string[]; search: string[]; options: string[] } {
  const parsed = { servers: [] as string[], search: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0] && isIP(values[0].split('%')[0]!) !== 0) parsed.servers.push(values[0]);
    else if (keyword === 'search') parsed.search = values;
    else if (keyword === 'domain') parsed.search = values.slice(0, 1);
    else if (keyword === 'options') parsed.options.push(...values);
  }
  return parsed;
}
