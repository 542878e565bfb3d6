/**
 * What leads 127.0.0.11:53 of a container to its resolver, which listens on a high port so that the container may bind
 * port 53 itself. Ports are rewritten packet by packet, both ways: unlike NAT that needs no connection tracking, which
 * would cost every other packet of the container.
 */

import { addressBytes, parseAddress } from '../../planner/network/address.ts';
import type { Fd, NetworkVerbs } from '../../schemas/kernel.ts';
import type { Request } from './netlink/message.ts';
import { protocol, send } from './netlink/netlink.ts';
import {
  base,
  byte,
  compare,
  immediate,
  meta,
  metaKey,
  nfproto,
  payload,
  register,
  writeTransport,
} from './nft/expressions.ts';
import { addChain, addRule, addTable, hook, type Table, transaction } from './nft/messages.ts';

const RESOLVER = addressBytes(parseAddress('127.0.0.11')!);
const port = (number: number): Buffer => Buffer.of(number >> 8, number & 255);
const ASKED = port(53);
const LISTENING = port(61053);
const SOURCE = { address: 12, port: 0 };
const DESTINATION = { address: 16, port: 2 };
const TCP = { protocol: 6, checksum: 16 };
const UDP = { protocol: 17, checksum: 6 };

const table: Table = { family: nfproto.ip, name: 'stack-resolver' };

function rewrite(side: typeof SOURCE, transport: typeof TCP, from: Buffer, to: Buffer): Request {
  return addRule(
    table,
    'output',
    payload(base.network, side.address, 4, register(0)),
    compare(register(0), RESOLVER),
    meta(metaKey.l4proto, register(0)),
    compare(register(0), byte(transport.protocol)),
    payload(base.transport, side.port, 2, register(0)),
    compare(register(0), from),
    immediate(register(0), to),
    writeTransport(side.port, 2, register(0), transport.checksum),
  );
}

export function redirectRequests(): Request[] {
  return transaction([
    addTable(table),
    addChain(table, { name: 'output', type: 'filter', hook: hook.output, priority: -300 }),
    rewrite(DESTINATION, UDP, ASKED, LISTENING),
    rewrite(SOURCE, UDP, LISTENING, ASKED),
    rewrite(DESTINATION, TCP, ASKED, LISTENING),
    rewrite(SOURCE, TCP, LISTENING, ASKED),
  ]);
}

let requests: Request[] | undefined;

/** Adds the rules, the same for every container, to a namespace. Throws StackError network.kernel. */
export async function redirectResolver(kernel: NetworkVerbs, namespace: Fd): Promise<void> {
  requests ??= redirectRequests();
  await send(kernel, protocol.netfilter, namespace, requests);
}
