/**
 * Connections the kernel tracks. NAT decides on a connection's first packet, and a UDP client that goes on from one port
 * never makes a second connection: what was tracked while a port led elsewhere must be forgotten.
 * Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
 */
import { attribute, nested, u8, u32 } from './attributes.ts';
import type { Request } from './message.ts';

const SUBSYSTEM = 1;
const CT_DELETE = 2;
const CTA = { TUPLE_ORIG: 1, FILTER: 25 };
const TUPLE_PROTO = 2;
const PROTO = { NUMBER: 1, DESTINATION: 3 };
const FILTER_ORIG_FLAGS = 1;
const MATCH = { number: 1 << 3, destinationPort: 1 << 5 };
const UDP = 17;
const AF = { ipv4: 2, ipv6: 10 };

/** Forgets UDP connections to `port`, whatever they were translated to. Kernels before 6.1 refuse, and lose nothing. */
export function forgetUdp(family: keyof typeof AF, port: number): Request {
  return {
    type: (SUBSYSTEM << 8) | CT_DELETE,
    flags: 0,
    body: Buffer.concat([
      // struct nfgenmsg; a version other than 0 makes the family count.
      Buffer.of(AF[family], 1, 0, 0),
      nested(
        CTA.TUPLE_ORIG,
        nested(TUPLE_PROTO, u8(PROTO.NUMBER, UDP), attribute(PROTO.DESTINATION, Buffer.of(port >> 8, port & 255))),
      ),
      nested(CTA.FILTER, u32(FILTER_ORIG_FLAGS, MATCH.number | MATCH.destinationPort)),
    ]),
    about: `forget connections to port ${port}/udp`,
    tolerate: ['EINVAL', 'EOPNOTSUPP', 'ENOENT', 'ERANGE'],
  };
}
