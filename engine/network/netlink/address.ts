/**
 * Addresses of links.
 * Source: rtnetlink(7), include/uapi/linux/if_addr.h.
 */
import { type Address, addressBytes, addressOf, broadcast, type Subnet } from '../../../planner/network/address.ts';
import { attribute, readAttributes, u32 } from './attributes.ts';
import { type Answer, flag, type Request } from './message.ts';

export const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 };
const IFA_F_NODAD = 0x02;

export const AF = { 4: 2, 6: 10 } as const;

/** `address` on link `index`; an IPv6 one is used at once, without duplicate address detection. */
export function addAddress(index: number, address: Address, prefix: number, linkName: string): Request {
  const header = Buffer.alloc(8);
  header.writeUInt8(AF[address.family], 0);
  header.writeUInt8(prefix, 1);
  header.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  const parts = [header, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes)];
  if (address.family === 4) parts.push(attribute(IFA.BROADCAST, addressBytes(broadcast({ address, prefix }))));
  else parts.push(u32(IFA.FLAGS, IFA_F_NODAD));
  return {
    type: RTM_NEWADDR,
    flags: flag.create | flag.exclusive,
    body: Buffer.concat(parts),
    about: `give ${linkName} its address`,
    tolerate: ['EEXIST'],
  };
}

export function getAddresses(): Request {
  return { type: RTM_GETADDR, flags: flag.dump, body: Buffer.alloc(8), about: 'list the addresses' };
}

/** Link index and subnet of each address of an RTM_GETADDR dump; other families are left out. */
export function readAddress({ body }: Answer): { index: number; subnet: Subnet } | undefined {
  const found = readAttributes(body.subarray(8));
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS);
  const family = body.readUInt8(0);
  if (!bytes || (family !== AF[4] && family !== AF[6])) return undefined;
  return { index: body.readUInt32LE(4), subnet: { address: addressOf(bytes), prefix: body.readUInt8(1) } };
}
