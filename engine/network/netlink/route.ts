/**
 * Routes.
 * Source: rtnetlink(7), include/uapi/linux/rtnetlink.h `struct rtmsg`.
 */
import { type Address, addressBytes, addressOf, parseAddress, type Subnet } from '../../../planner/network/address.ts';
import { AF } from './address.ts';
import { attribute, readAttributes, u32 } from './attributes.ts';
import { type Answer, flag, type Request } from './message.ts';

export const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6 };
const MAIN_TABLE = 254;
const LOCAL_TABLE = 255;
const PROTOCOL_BOOT = 3;
const UNICAST = 1;
const LOCAL = 2;

function rtmsg(family: number, type: number): Buffer {
  return Buffer.of(family, 0, 0, 0, MAIN_TABLE, PROTOCOL_BOOT, 0, type, 0, 0, 0, 0);
}

/** The default route through `gateway` on link `index`; `isDirect`: through the link alone. */
export function addDefaultRoute(index: number, gateway: Address, { isDirect = false } = {}): Request {
  return {
    type: RTM_NEWROUTE,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      rtmsg(AF[gateway.family], UNICAST),
      ...(isDirect ? [] : [attribute(RTA.GATEWAY, addressBytes(gateway))]),
      u32(RTA.OIF, index),
    ]),
    about: 'set the default route',
  };
}

/**
 * Lets answers to ::1 in through link `index`: for link-local and loopback destinations IPv6 takes only routes of the link
 * a packet came by. What comes off the wire for ::1 is dropped before it is routed; left are answers that NAT turned
 * back. The metric is behind that of `lo`, whose route the host's own traffic goes on taking.
 */
export function addLoopbackRoute(index: number): Request {
  const header = rtmsg(AF[6], LOCAL);
  header.writeUInt8(128, 1);
  header.writeUInt8(LOCAL_TABLE, 4);
  return {
    type: RTM_NEWROUTE,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      header,
      attribute(RTA.DST, addressBytes(parseAddress('::1')!)),
      u32(RTA.OIF, index),
      u32(RTA.PRIORITY, 2048),
    ]),
    about: 'let answers to ::1 in',
    tolerate: ['EEXIST'],
  };
}

export function getRoutes(): Request {
  return { type: RTM_GETROUTE, flags: flag.dump, body: rtmsg(0, 0), about: 'list the routes' };
}

/** Destination of a route of the main table; undefined for default routes, other tables and other families. */
export function readRoute({ body }: Answer): { index: number; subnet: Subnet } | undefined {
  const family = body.readUInt8(0);
  const prefix = body.readUInt8(1);
  if (prefix === 0 || body.readUInt8(4) !== MAIN_TABLE || (family !== AF[4] && family !== AF[6])) return undefined;
  const found = readAttributes(body.subarray(12));
  const destination = found.get(RTA.DST);
  if (!destination) return undefined;
  return { index: found.get(RTA.OIF)?.readUInt32LE(0) ?? 0, subnet: { address: addressOf(destination), prefix } };
}
