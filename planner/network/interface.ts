/** What a service asks for on one network, told right from wrong. Source: compose-spec 05-services.md "networks". */
import { type Address, contains, formatAddress, parseAddress, parseSubnet, type Subnet } from './address.ts';

const linkLocal: Subnet[] = ['169.254.0.0/16', 'fe80::/64'].map((text) => parseSubnet(text)!);

/** A link-local address with the subnet that it is on; undefined where `text` is none (RFC 3927, RFC 4291 2.5.6). */
export function readLinkLocal(text: string): { address: string; prefix: number } | undefined {
  const address = parseAddress(text);
  const subnet = address && linkLocal.find((one) => contains(one, address));
  return subnet && { address: formatAddress(address as Address), prefix: subnet.prefix };
}

/** Six bytes with colons between them; undefined where `text` is no address of a single interface (IEEE 802 8.2). */
export function readMac(text: string): string | undefined {
  const mac = text.toLowerCase().replaceAll('-', ':');
  const isUnicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0;
  const isNone = mac === '00:00:00:00:00:00';
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && isUnicast && !isNone ? mac : undefined;
}

/** `NAME[:ALIAS]` of links and external_links, as the name server has names. */
export const isNameLink = (written: string): boolean =>
  /^[a-z0-9_][\w.-]{0,252}(?::[a-z0-9_][\w.-]{0,252})?$/i.test(written);
