/**
 * Which proxy leads to an address. Source: the variables of curl(1) and Go's httpproxy, which docker reads: HTTP_PROXY,
 * HTTPS_PROXY, NO_PROXY, in capitals or not.
 */
import { BlockList, isIP } from 'node:net';
import { StackError } from '../../../schemas/errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host name or address is this machine's own: nothing on the way can listen. `host` without brackets and port. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || inList(loopback, host);
}

/** The proxy for `url`; undefined for a direct way. @throws StackError `image.registry-unreachable` for one that is no address */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv = process.env): URL | undefined {
  const isSecure = url.protocol === 'https:';
  const variable = isSecure ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const given = environment[variable] || environment[variable.toLowerCase()];
  const host = bare(url.hostname);
  if (!given || isLoopback(host)) return undefined;
  const port = Number(url.port || (isSecure ? 443 : 80));
  if (isExempt(host, port, environment.NO_PROXY || environment.no_proxy || '')) return undefined;
  const proxy = URL.parse(given.includes('://') ? given : `http://${given}`);
  if (proxy?.protocol === 'http:' || proxy?.protocol === 'https:') return proxy;
  throw new StackError('image.registry-unreachable', {
    message: `The proxy that ${variable} names is not one of HTTP: it must begin with http:// or https://.`,
    hint: `Correct or unset ${variable}.`,
  });
}

/** One entry is `*`, an address, a network in CIDR, a name (which covers what is below it) or `.name` (only what is below). */
function isExempt(host: string, port: number, list: string): boolean {
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      if (entry.includes('/')) return inNetwork(host, entry);
      const [, name = '', only] = /^(.*?)(?::([0-9]+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? [];
      if (only !== undefined && Number(only) !== port) return false;
      const wanted = bare(name).replace(/^\*\./, '.');
      if (isIP(wanted)) return wanted === host;
      return wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
    });
}

function inNetwork(host: string, entry: string): boolean {
  const [address = '', bits = ''] = entry.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  try {
    list.addSubnet(address, Number(bits), family);
  } catch {
    return false;
  }
  return inList(list, host);
}

function inList(list: BlockList, host: string): boolean {
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
