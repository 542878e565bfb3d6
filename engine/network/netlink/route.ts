/**
 * Routes.
 * Source: rtnetlink(7), include/uapi/linux/rtnetlink.h `struct rtmsg`.
 */
import { type Address, addressBytes, addressOf, type Subnet } from '../address.ts';
import { AF } from './address.ts';
import { attribute, readAttributes, u32 } from './attributes.ts';
import { type Answer, flag, type Request } from './message.ts';

export const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 };
const MAIN_TABLE = 254;
const PROTOCOL_BOOT = 3;
const UNICAST = 1;

function rtmsg(family: number, type: number): Buffer {
  return Buffer.of(family, 0, 0, 0, MAIN_TABLE, PROTOCOL_BOOT, 0, type, 0, 0, 0, 0);
}

/** The default route through `gateway` on link `index`. */
export function addDefaultRoute(index: number, gateway: Address): Request {
  return {
    type: RTM_NEWROUTE,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat([
      rtmsg(AF[gateway.family], UNICAST),
      attribute(RTA.GATEWAY, addressBytes(gateway)),
      u32(RTA.OIF, index),
    ]),
    about: 'set the default route',
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
