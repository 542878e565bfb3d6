/**
 * Stacks that have containers on a network of another stack (`external: true`), one empty file each:
 * <root>/networks/<network>.stacks/<stack>. So the addresses and names of a network are found without reading the
 * records of every stack of the machine.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import type { Layout } from '../state/layout.ts';

const folder = (layout: Layout, network: string): string => join(layout.networks, `${network}.stacks`);

export function noteMember(layout: Layout, record: NetworkRecord, stack: string): void {
  if (record.stack === stack) return;
  mkdirSync(folder(layout, record.name), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder(layout, record.name), stack), '');
}

export function forgetMembers(layout: Layout, network: string): void {
  rmSync(folder(layout, network), { recursive: true, force: true });
}

/** Containers that stacks other than `stack` have on the network. */
export function foreignContainers(layout: Layout, record: NetworkRecord, stack: string): ContainerRecord[] {
  const members = new Set([record.stack, ...list(folder(layout, record.name))]);
  members.delete(stack);
  return [...members]
    .flatMap((member) => [...containerRecords(layout, member)])
    .filter(({ endpoints }) => endpoints?.some((endpoint) => endpoint.networkName === record.name));
}

/** The container records of a stack as far as they can be read. */
export function* containerRecords(layout: Layout, stack: string): Generator<ContainerRecord> {
  for (const id of list(layout.stackDir(stack))) {
    try {
      yield JSON.parse(readFileSync(join(layout.containerDir(stack, id), 'container.json'), 'utf8'));
    } catch {
      // Half made or half removed: it uses nothing any more.
    }
  }
}

/** Names in a folder; none where there is no folder. */
export function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
