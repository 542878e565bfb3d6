/**
 * /dev/shm of a container that others may share (`ipc: shareable`): a directory of its run directory, which lies in
 * memory. A mount of its own would have to be in the host's mount table for others to reach it.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Host } from '../host.ts';
import { removeTree } from '../images/remove-tree.ts';

/** On the host. */
export const sharedMemory = (host: Host, id: string): string => join(host.layout.containerRun(id), 'shm');

const isShareable = ({ config }: ContainerRecord) => config.ipc === 'shareable';

/** Empty, as after every start. */
export function makeSharedMemory(host: Host, record: ContainerRecord): void {
  if (!isShareable(record)) return;
  removeSharedMemory(host, record);
  const path = sharedMemory(host, record.id);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o1777);
}

/** By descriptor: whoever shares it may still be changing it. */
export function removeSharedMemory(host: Host, record: ContainerRecord): void {
  if (!isShareable(record)) return;
  let parent: number;
  try {
    parent = openSync(host.layout.containerRun(record.id), 'r');
  } catch {
    return; // nothing of it ran
  }
  try {
    removeTree(host.kernel.filesystem, parent, 'shm');
  } finally {
    closeSync(parent);
  }
}
