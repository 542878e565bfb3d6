/**
 * The host's forwarding switch. Where it was off and we need it on, a table of our own keeps everything closed that is
 * not to or from one of our bridges; the table is also the sign that the switch is ours to put back.
 */
import { readFileSync } from 'node:fs';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import type { Request } from './netlink/message.ts';
import { protocol, send } from './netlink/netlink.ts';
import { compare, meta, metaKey, nfproto, register, verdict } from './nft/expressions.ts';
import {
  addChain,
  addRule,
  addTable,
  getTables,
  hook,
  interfaceKey,
  readTable,
  type Table,
  transaction,
  withoutTable,
} from './nft/messages.ts';

const BRIDGE_PREFIX = Buffer.from('st-');

export const forwardingTable = 'stack-forwarding';

const switches = [
  { table: { family: nfproto.ip, name: forwardingTable }, sysctl: 'net/ipv4/ip_forward' },
  { table: { family: nfproto.ip6, name: forwardingTable }, sysctl: 'net/ipv6/conf/all/forwarding' },
];

function isOn(sysctl: string): boolean {
  try {
    return readFileSync(`/proc/sys/${sysctl}`, 'utf8').trim() !== '0';
  } catch {
    return true;
  }
}

/** `named`: bridges of ours whose names do not tell. */
function closedTable(table: Table, named: string[]): Request[] {
  const names = [BRIDGE_PREFIX, ...named.map(interfaceKey)];
  const ours = (key: number) =>
    names.map((name) =>
      addRule(table, 'forward', meta(key, register(0)), compare(register(0), name), verdict('accept')),
    );
  return [
    ...withoutTable(table),
    addTable(table),
    addChain(table, { name: 'forward', type: 'filter', hook: hook.forward, priority: 0, policy: 'drop' }),
    ...ours(metaKey.iifname),
    ...ours(metaKey.oifname),
  ];
}

/**
 * Turns forwarding on, closed for others first. Costs a read of /proc where it is on already and no bridge of ours is
 * `named` by its stack file.
 */
export async function openForwarding(
  kernel: NetworkVerbs,
  families: { ipv4: boolean; ipv6: boolean },
  named: string[] = [],
): Promise<void> {
  const needed = [families.ipv4, families.ipv6];
  const closed = named.length > 0 ? await closedTables(kernel) : new Set<Table>();
  for (const [index, { table, sysctl }] of switches.entries()) {
    // A table that is there already has to learn the new name, even of a network that is not forwarded: bridged packets pass it.
    if (!closed.has(table) && (!needed[index] || isOn(sysctl))) continue;
    await send(kernel, protocol.netfilter, null, transaction(closedTable(table, named)));
    await kernel.writeSysctl(null, sysctl, '1');
  }
}

/**
 * Puts back what {@link openForwarding} changed, for the families no network needs any more. `named`: bridges that are left of
 * those whose names do not tell, where one of them went.
 */
export async function closeForwarding(
  kernel: NetworkVerbs,
  needed: { ipv4: boolean; ipv6: boolean },
  named?: string[],
): Promise<void> {
  const closed = await closedTables(kernel);
  const stillNeeded = [needed.ipv4, needed.ipv6];
  for (const [index, { table, sysctl }] of switches.entries()) {
    if (!closed.has(table)) continue;
    if (stillNeeded[index]) {
      if (named) await send(kernel, protocol.netfilter, null, transaction(closedTable(table, named)));
      continue;
    }
    await kernel.writeSysctl(null, sysctl, '0');
    await send(kernel, protocol.netfilter, null, transaction(withoutTable(table)));
  }
}

/** Those of our tables that are there. */
async function closedTables(kernel: NetworkVerbs): Promise<Set<Table>> {
  const tables = (await send(kernel, protocol.netfilter, null, [getTables()])).map(readTable);
  const isThere = (wanted: Table) =>
    tables.some(({ family, name }) => family === wanted.family && name === wanted.name);
  return new Set(switches.map(({ table }) => table).filter(isThere));
}
