/** What carries a stack's identity and no record explains: left by a command that was killed, or by lost state files. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerRecord, NetworkRecord } from '../schemas/container.ts';
import type { Stray } from '../schemas/snapshot.ts';
import { cgroupParent, type Host } from './host.ts';
import { forwardingTable } from './network/forwarding.ts';
import { endpointAlias } from './network/identity.ts';
import { getLinks, readLink } from './network/netlink/link.ts';
import { protocol, send } from './network/netlink/netlink.ts';
import { getTables, readTable } from './network/nft/messages.ts';
import { loadRecords } from './network/records.ts';
import { stackTable } from './network/rules.ts';
import { containerCgroups } from './runtime/cgroup/cgroup.ts';
import { entries } from './state/entries.ts';

/**
 * Containers that have remains (a half-made directory, a cgroup, a run directory, a link) and no record, each once by its
 * id, and bridges of networks that have none. Called with the stack's lock held: nothing is being made meanwhile.
 */
export async function findStrays(
  host: Host,
  stack: string,
  records: ContainerRecord[],
  networks: NetworkRecord[],
): Promise<Stray[]> {
  const { layout, kernel } = host;
  const known = new Set(records.map(({ id }) => id));
  const ids = new Set<string>();
  const bridges: string[] = [];
  const note = (id: string) => {
    if (!known.has(id)) ids.add(id);
  };
  for (const id of entries(layout.stackDir(stack))) note(id);
  for (const id of containerCgroups(stack, cgroupParent(host))) note(id);
  for (const id of unclaimedRunDirs(host, known)) ids.add(id);
  const prefix = endpointAlias(stack, '');
  const ownBridges = new Set(networks.map(({ bridge }) => bridge));
  for (const { name, alias, kind } of (await send(kernel.network, protocol.route, null, [getLinks()])).map(readLink)) {
    if (!alias.startsWith(prefix)) continue;
    if (kind === 'bridge') {
      if (!ownBridges.has(name)) bridges.push(name);
    } else note(alias.slice(prefix.length));
  }
  const tables = networks.length === 0 ? await ownTables(host, stack) : [];
  return [
    ...[...ids].map((name): Stray => ({ kind: 'container', name })),
    ...bridges.map((name): Stray => ({ kind: 'link', name })),
    ...tables.map((name): Stray => ({ kind: 'table', name })),
    ...[...unfinished(host), ...strayNames(host)].map((name): Stray => ({ kind: 'directory', name })),
  ];
}

/** Rules without a network: the stack's, and those that close forwarding where the machine has no network any more. */
async function ownTables({ kernel, layout }: Host, stack: string): Promise<string[]> {
  const wanted = new Set([stackTable(stack).name]);
  if (loadRecords(layout).length === 0) wanted.add(forwardingTable);
  const tables = (await send(kernel.network, protocol.netfilter, null, [getTables()])).map(readTable);
  return [...new Set(tables.map(({ name }) => name).filter((name) => wanted.has(name)))];
}

/** Tables of names of networks the machine does not have: a network's record is made before them. */
function strayNames({ layout }: Host): string[] {
  const tables = entries(dirname(layout.networkNames(''))).map((file) => file.replace(/\.names$/, ''));
  if (tables.length === 0) return [];
  const known = new Set(loadRecords(layout).map((record) => layout.networkNames(record.name)));
  return tables.map((name) => layout.networkNames(name)).filter((path) => existsSync(path) && !known.has(path));
}

/** Volumes that were being made or deleted, and records and tables that were being written, by commands that are gone. */
function unfinished({ layout }: Host): string[] {
  const folders = [layout.volumes, layout.networks, dirname(layout.networkNames(''))];
  return folders.flatMap((folder) =>
    entries(folder)
      .filter((name) => {
        const worker = workerOf(name);
        return worker !== undefined && !existsSync(`/proc/${worker}`);
      })
      .map((name) => join(folder, name)),
  );
}

/** The process whose unfinished work carries this name; undefined for every other name. */
function workerOf(name: string): string | undefined {
  const [, inVolumes, inNetworks] = /^\.(?:making|removed)-(\d+)-|\.(\d+)\.tmp$/.exec(name) ?? [];
  return inVolumes ?? inNetworks;
}

/**
 * Run directories of containers that no stack has a directory of. A container's directory is made before its run
 * directory and removed after it, so this is no one's who is at work.
 */
function unclaimedRunDirs({ layout }: Host, known: Set<string>): string[] {
  const running = entries(dirname(layout.containerRun('id'))).filter((id) => !known.has(id));
  if (running.length === 0) return [];
  const stacks = entries(layout.stacks);
  return running.filter((id) => !stacks.some((stack) => existsSync(layout.containerDir(stack, id))));
}
