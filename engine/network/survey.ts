/** What the kernel has of a stack, told by aliases and names alone. */
import type { NetworkRecord } from '../../schemas/container.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import type { Stray } from '../../schemas/snapshot.ts';
import { bridgeAlias, endpointAlias } from './identity.ts';
import { getLinks, readLink, removeLinks } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';
import { getTables, readTable, transaction, withoutTable } from './nft/messages.ts';
import { scratchGroup } from './reaper.ts';
import { stackTable } from './rules.ts';

export interface Survey {
  /** Bridges of the stack's records that exist. */
  bridges: Set<string>;
  strays: Stray[];
}

export async function survey(
  kernel: NetworkVerbs,
  stack: string,
  records: NetworkRecord[],
  containerIds: Set<string>,
): Promise<Survey> {
  const [links, tables] = await Promise.all([
    send(kernel, protocol.route, null, [getLinks()]),
    send(kernel, protocol.netfilter, null, [getTables()]),
  ]);
  const explained = new Set([
    ...records.map((record) => bridgeAlias(stack, record.name)),
    ...[...containerIds].map((id) => endpointAlias(stack, id)),
  ]);
  const names = new Set(records.map((record) => record.bridge));
  const found: Survey = { bridges: new Set(), strays: [] };
  for (const { name, alias } of links.map(readLink)) {
    if (names.has(name)) found.bridges.add(name);
    else if (alias.startsWith(`stack:${stack}:`) && !explained.has(alias)) found.strays.push({ kind: 'link', name });
  }
  if (records.length === 0 && containerIds.size === 0) {
    const own = stackTable(stack);
    const isLeft = tables.map(readTable).some(({ family, name }) => family === own.family && name === own.name);
    if (isLeft) found.strays.push({ kind: 'table', name: own.name });
  }
  return found;
}

/** Whatever is already gone is no error; strays of other kinds are left alone. */
export async function removeStrays(kernel: NetworkVerbs, strays: Stray[]): Promise<void> {
  const names = (kind: Stray['kind']) => strays.filter((stray) => stray.kind === kind).map(({ name }) => name);
  const links = names('link');
  const tables = names('table').map((name) => ({ ...stackTable(''), name }));
  await Promise.all([
    links.length > 0 && send(kernel, protocol.route, null, removeLinks(links, scratchGroup())),
    tables.length > 0 && send(kernel, protocol.netfilter, null, transaction(tables.flatMap(withoutTable))),
  ]);
}
