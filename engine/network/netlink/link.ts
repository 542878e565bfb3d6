/**
 * Links: bridges and veth pairs.
 * Source: rtnetlink(7), include/uapi/linux/if_link.h, veth(4).
 */
import type { Fd } from '../../../schemas/kernel.ts';
import { attribute, nested, readAttributes, readText, text, u8, u16, u32 } from './attributes.ts';
import { type Answer, flag, type Request } from './message.ts';

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
};
/** RTEXT_FILTER_SKIP_STATS: half of every answer otherwise. */
const SKIP_STATISTICS = 8;
const INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 };
const VETH_INFO_PEER = 1;
const BRPORT = { MODE: 4, ISOLATED: 33 };
const INET6_ADDR_GEN_MODE = 8;
const GEN_MODE_NONE = 1;
const AF_INET6 = 10;
const IFF_UP = 1;

export interface Link {
  index: number;
  name: string;
  isUp: boolean;
  kind: string;
  alias: string;
  mtu: number;
  group: number;
  /** Index of the bridge it is a port of; 0 for none. */
  master: number;
  /** Index of the veth's other end, in whichever namespace that is. */
  peer: number;
  /** Colon-separated hex. */
  mac: string;
}

/** struct ifinfomsg */
function ifinfo(index = 0, isUp = false): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (isUp) {
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

export function addBridge(bridge: { name: string; mac: string; group: number; mtu?: number | undefined }): Request {
  return {
    type: RTM_NEWLINK,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      ifinfo(),
      text(IFLA.IFNAME, bridge.name),
      attribute(IFLA.ADDRESS, macBytes(bridge.mac)),
      u32(IFLA.GROUP, bridge.group),
      ...(bridge.mtu ? [u32(IFLA.MTU, bridge.mtu)] : []),
      nested(IFLA.LINKINFO, text(INFO.KIND, 'bridge')),
    ]),
    about: `create the bridge ${bridge.name}`,
    tolerate: ['EEXIST'],
  };
}

export interface Veth {
  name: string;
  /** Index of the bridge. */
  master: number;
  group: number;
  mtu?: number | undefined;
  /** The other end, born inside `namespace`. */
  peer: { name: string; mac: string; namespace: Fd };
}

export function addVeth({ name, master, group, mtu, peer }: Veth): Request {
  const size = mtu ? [u32(IFLA.MTU, mtu)] : [];
  return {
    type: RTM_NEWLINK,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      ifinfo(),
      text(IFLA.IFNAME, name),
      u32(IFLA.MASTER, master),
      u32(IFLA.GROUP, group),
      ...size,
      nested(
        IFLA.LINKINFO,
        text(INFO.KIND, 'veth'),
        nested(
          INFO.DATA,
          attribute(
            VETH_INFO_PEER,
            Buffer.concat([
              ifinfo(),
              text(IFLA.IFNAME, peer.name),
              attribute(IFLA.ADDRESS, macBytes(peer.mac)),
              ...size,
              u32(IFLA.NET_NS_FD, peer.namespace),
            ]),
          ),
        ),
      ),
    ]),
    about: `create the veth pair ${name} – ${peer.name}`,
  };
}

export interface OnParent {
  name: string;
  driver: 'macvlan' | 'ipvlan';
  /** Index of the interface it stands on. */
  parent: number;
  mode: number;
  /** Of ipvlan. */
  flags: number;
  /** Of macvlan: those of ipvlan have their parent's. */
  mac?: string;
  mtu?: number | undefined;
  namespace: Fd;
}

/** A link on an interface of the host, born inside `namespace`. */
export function addOnParent({ name, driver, parent, mode, flags, mac, mtu, namespace }: OnParent): Request {
  const data = driver === 'macvlan' ? [u32(1, mode)] : [u16(1, mode), u16(2, flags)];
  return {
    type: RTM_NEWLINK,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      ifinfo(),
      text(IFLA.IFNAME, name),
      u32(IFLA.LINK, parent),
      u32(IFLA.NET_NS_FD, namespace),
      ...(mac && driver === 'macvlan' ? [attribute(IFLA.ADDRESS, macBytes(mac))] : []),
      ...(mtu ? [u32(IFLA.MTU, mtu)] : []),
      nested(IFLA.LINKINFO, text(INFO.KIND, driver), nested(INFO.DATA, ...data)),
    ]),
    about: `create the ${driver} link ${name}`,
  };
}

/** Changes of an existing link, found by name. */
export interface LinkChange {
  isUp?: boolean;
  alias?: string;
  group?: number;
  /** Bytes. */
  mtu?: number | undefined;
}

export function setLink(name: string, change: LinkChange): Request {
  const parts = [ifinfo(0, change.isUp ?? false), text(IFLA.IFNAME, name)];
  if (change.alias !== undefined) parts.push(attribute(IFLA.IFALIAS, Buffer.from(change.alias)));
  if (change.group !== undefined) parts.push(u32(IFLA.GROUP, change.group));
  if (change.mtu !== undefined) parts.push(u32(IFLA.MTU, change.mtu));
  return { type: RTM_SETLINK, flags: 0, body: Buffer.concat(parts), about: `configure the link ${name}` };
}

/** Into another network namespace, under a name that is free there. By index: the name says what it shall be called. */
export function moveLink(index: number, name: string, namespace: Fd): Request {
  return {
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([ifinfo(index), text(IFLA.IFNAME, name), u32(IFLA.NET_NS_FD, namespace)]),
    about: `move a link into the container as ${name}`,
  };
}

/**
 * No link-local address, and with it no router solicitations: for a link without IPv6 of ours, before it comes up. Where
 * the kernel has no IPv6, or the link's MTU is too small for it, there is nothing to do.
 */
export function withoutLinkLocal(name: string): Request {
  return {
    type: RTM_SETLINK,
    flags: 0,
    body: Buffer.concat([
      ifinfo(),
      text(IFLA.IFNAME, name),
      nested(IFLA.AF_SPEC, nested(AF_INET6, u8(INET6_ADDR_GEN_MODE, GEN_MODE_NONE))),
    ]),
    about: `configure the link ${name}`,
    tolerate: ['EAFNOSUPPORT'],
  };
}

/** `hairpin`: the bridge may send a frame back through the port it came by. `isolated`: nothing passes to other isolated ports. */
export function setPort(
  name: string,
  { hairpin, isolated }: { hairpin?: boolean; isolated?: boolean | undefined },
): Request {
  const settings = [...(hairpin ? [u8(BRPORT.MODE, 1)] : []), ...(isolated ? [u8(BRPORT.ISOLATED, 1)] : [])];
  return {
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([
      ifinfo(),
      text(IFLA.IFNAME, name),
      nested(IFLA.LINKINFO, text(INFO.SLAVE_KIND, 'bridge'), nested(INFO.SLAVE_DATA, ...settings)),
    ]),
    about: `configure the bridge port ${name}`,
  };
}

export function removeLink(name: string): Request {
  return {
    type: RTM_DELLINK,
    flags: 0,
    body: Buffer.concat([ifinfo(), text(IFLA.IFNAME, name)]),
    about: `remove the link ${name}`,
    tolerate: ['ENODEV'],
  };
}

/**
 * Removes any number of links for the price of one: each removal of its own waits for an RCU grace period, the
 * removal of a group waits once.
 */
export function removeLinks(names: string[], scratchGroup: number): Request[] {
  if (names.length === 1) return [removeLink(names[0]!)];
  return [
    ...names.map((name) => ({ ...setLink(name, { group: scratchGroup }), tolerate: ['ENODEV'] })),
    removeGroup(scratchGroup),
  ];
}

export function removeGroup(group: number): Request {
  return {
    type: RTM_DELLINK,
    flags: 0,
    body: Buffer.concat([ifinfo(), u32(IFLA.GROUP, group)]),
    about: `remove the links of group ${group}`,
    tolerate: ['ENODEV'],
  };
}

export function getLink(name: string): Request {
  return {
    type: RTM_GETLINK,
    flags: 0,
    body: Buffer.concat([ifinfo(), text(IFLA.IFNAME, name)]),
    about: `find the link ${name}`,
  };
}

export function getLinks(): Request {
  const body = Buffer.concat([ifinfo(), u32(IFLA.EXT_MASK, SKIP_STATISTICS)]);
  return { type: RTM_GETLINK, flags: flag.dump, body, about: 'list the links' };
}

export function readLink({ body }: Answer): Link {
  const found = readAttributes(body.subarray(16));
  const number = (type: number) => found.get(type)?.readUInt32LE(0) ?? 0;
  const index = body.readInt32LE(4);
  const info = found.get(IFLA.LINKINFO);
  return {
    index,
    name: readText(found.get(IFLA.IFNAME)) ?? '',
    isUp: (body.readUInt32LE(8) & IFF_UP) !== 0,
    kind: (info && readText(readAttributes(info).get(INFO.KIND))) ?? '',
    alias: readText(found.get(IFLA.IFALIAS)) ?? '',
    mtu: number(IFLA.MTU),
    group: number(IFLA.GROUP),
    master: number(IFLA.MASTER),
    // Left out by the kernel where it equals the link's own index.
    peer: number(IFLA.LINK) || index,
    mac:
      found
        .get(IFLA.ADDRESS)
        ?.toString('hex')
        .replace(/(..)(?=.)/g, '$1:') ?? '',
  };
}
