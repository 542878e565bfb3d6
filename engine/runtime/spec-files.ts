/** Contents of the container's /etc/hosts, /etc/hostname and /etc/resolv.conf. Pure. Source: hosts(5), resolv.conf(5), compose-spec. */
import { isIP } from 'node:net';
import { StackError } from '../../schemas/errors.ts';

export interface HostsRequest {
  /** Text to add to, in place of the lines of localhost: the host's own file, for a container in its network. */
  base?: string | undefined;
  /** From {@link extraHosts}. */
  extra: [name: string, address: string][];
  hostname: string;
  domainname?: string | undefined;
  /** The container's own addresses, IPv4 and IPv6. Where none is IPv6, ::1 is no name of localhost either. */
  addresses: string[];
}

const localhost = ['127.0.0.1\tlocalhost'];
const localhost6 = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** As docker orders it: localhost, extra hosts, the container itself. */
export function hostsFile({ base, extra, hostname, domainname, addresses }: HostsRequest): string {
  const hasIpv6 = addresses.some((address) => isIP(address) === 6);
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname;
  const lines = [
    ...(base === undefined ? [...localhost, ...(hasIpv6 ? localhost6 : [])] : [base.trimEnd()]),
    ...extra.map(([name, address]) => `${address}\t${name}`),
    ...addresses.map((address) => `${address}\t${names}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * `name=address` or `name:address`.
 * @param hostGateway what `host-gateway` stands for: the host as the container reaches it; empty where it cannot.
 * @throws config.value for an entry that is no address, or a host-gateway where the host cannot be reached.
 */
export function extraHosts(
  entries: string[],
  hostGateway: string[],
  resource: string,
): [name: string, address: string][] {
  const where = `${resource}.extra_hosts`;
  return entries.flatMap((entry): [string, string][] => {
    const [, name = '', written = ''] = /^([^=:\s]+)[=:](.+)$/.exec(entry) ?? [];
    const address = written.trim().replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) !== 0) return [[name, address]];
    if (address === 'host-gateway' && hostGateway.length > 0) return hostGateway.map((one) => [name, one]);
    if (address === 'host-gateway') {
      throw new StackError('config.value', {
        message: `${where}: "${entry}": the service has no network through which the host could be reached`,
        hint: 'Give the service a network of its own that is not internal, or write an address.',
        resource: where,
      });
    }
    throw new StackError('config.value', {
      message: `${where}: "${entry}" is not a name and an address`,
      hint: 'Write name=192.0.2.7, name=2001:db8::7 or name=host-gateway.',
      resource: where,
    });
  });
}

export const hostnameFile = (hostname: string): string => `${hostname}\n`;

export interface ResolverRequest {
  /** The host's /etc/resolv.conf. */
  host: string;
  dns?: string[] | undefined;
  dnsSearch?: string[] | undefined;
  dnsOptions?: string[] | undefined;
  /** `stack`: our resolver answers on 127.0.0.11. `host`: it is in the host's network and asks as that does. */
  mode: 'stack' | 'host' | 'none';
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
  const { mode, dns, dnsSearch, dnsOptions } = request;
  if (mode === 'host' && !dns?.length && !dnsSearch?.length && !dnsOptions?.length) {
    return { content: request.host, upstreams: [] };
  }
  const host = parseResolvConf(request.host);
  const asked = dns?.length ? dns : host.servers;
  const search = dnsSearch?.length ? dnsSearch.filter((domain) => domain !== '.') : host.search;
  const options = [...(dnsOptions?.length ? dnsOptions : host.options)];
  // Names of services have no dots: they are asked as they are before any search domain is tried.
  if (mode === 'stack' && !options.some((option) => option.startsWith('ndots:'))) options.push('ndots:0');
  const servers = { stack: [resolverAddress], host: asked, none: [] }[mode];
  const lines = [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return { content: lines.map((line) => `${line}\n`).join(''), upstreams: mode === 'stack' ? asked : [] };
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
