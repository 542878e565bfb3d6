/** Who has a port: asked only once binding it has failed. */
import { readFileSync, readlinkSync } from 'node:fs';
import { type Address, addressOf, parseAddress } from '../../planner/network/address.ts';
import type { PublishedPort } from '../../schemas/container.ts';
import type { Layout } from '../state/layout.ts';
import { containerRecords, list } from './members.ts';

/**
 * A container of ours whose record publishes the port (its socket does not listen, so /proc/net does not show it), or
 * the process that has the socket open.
 */
export function findHolder(layout: Layout, port: PublishedPort): string | undefined {
  return holdingContainer(layout, port) ?? holdingProcess(port);
}

function holdingContainer(layout: Layout, port: PublishedPort): string | undefined {
  for (const record of list(layout.stacks).flatMap((stack) => [...containerRecords(layout, stack)])) {
    const rival = record.ports?.find(
      (one) =>
        one.protocol === port.protocol && one.hostPort === port.hostPort && meets(one.hostAddress, port.hostAddress),
    );
    if (rival && isHeld(layout, record.id)) return `the container ${record.name} of the stack ${record.stack}`;
  }
  return undefined;
}

/** A container without a monitor holds nothing. */
function isHeld(layout: Layout, id: string): boolean {
  return list(layout.containerRun(id)).includes('control');
}

function holdingProcess({ protocol, hostAddress, hostPort }: PublishedPort): string | undefined {
  for (const suffix of ['', '6']) {
    for (const { local, port, inode } of sockets(`${protocol}${suffix}`)) {
      if (port !== hostPort || !meets(local, hostAddress)) continue;
      const holder = processWith(inode);
      if (holder) return holder;
    }
  }
  return undefined;
}

/** proc_net(5): local address in words of host order, as hex; state 0A is LISTEN. */
function* sockets(table: string): Generator<{ local: Address; port: number; inode: string }> {
  let lines: string[];
  try {
    lines = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1);
  } catch {
    return;
  }
  for (const line of lines) {
    const columns = line.trim().split(/\s+/);
    const [address, port] = columns[1]?.split(':') ?? [];
    if (!address || !port || (table.startsWith('tcp') && columns[3] !== '0A')) continue;
    const bytes = Buffer.from(address, 'hex').swap32();
    yield { local: addressOf(bytes), port: Number.parseInt(port, 16), inode: columns[9]! };
  }
}

function processWith(inode: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      try {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== wanted) continue;
        return `the process ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (${pid})`;
      } catch {
        // Closed, or ended, while we looked.
      }
    }
  }
  return undefined;
}

/** Two bindings of one port meet where the addresses are equal or one of them stands for all of its family. */
function meets(one: Address | string, other: Address | string): boolean {
  const a = typeof one === 'string' ? parseAddress(one) : one;
  const b = typeof other === 'string' ? parseAddress(other) : other;
  if (!a || !b) return false;
  // A socket on `::` has IPv4 too, unless it says otherwise.
  if (a.family !== b.family) return (a.family === 6 ? a : b).value === 0n;
  return a.value === b.value || a.value === 0n || b.value === 0n;
}
