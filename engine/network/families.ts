/** The two families of addresses, as rules tell them apart. Offsets are those of addresses in the header, in bytes. */
import { byte, compare, meta, metaKey, nfproto, register } from './nft/expressions.ts';
import { type } from './nft/messages.ts';

export const families = [
  { name: '4', proto: nfproto.ip, address: type.ipv4, source: 12, destination: 16, key: 'ipv4' },
  { name: '6', proto: nfproto.ip6, address: type.ipv6, source: 8, destination: 24, key: 'ipv6' },
] as const;
export type Family = (typeof families)[number];

export const isFamily = ({ proto }: Family): Buffer[] => [
  meta(metaKey.nfproto, register(0)),
  compare(register(0), byte(proto)),
];
