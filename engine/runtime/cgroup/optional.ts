/** Limits that a service may go without: docker leaves them out, with a word, where the machine cannot keep them. */
import type { BlockIo, MemoryResources, Resources } from '../../../schemas/oci-runtime.ts';
import type { Hierarchies } from './hierarchies.ts';

export interface Kept {
  resources: Resources;
  /** Attributes of the stack file that were left out, and why. */
  dropped: { attribute: string; why: string }[];
}

/** Without what only makes a container slower or likelier to be killed. Memory, processors and processes stay, or fail. */
export function withoutUnkeepable(resources: Resources, all: Hierarchies): Kept {
  const v1 = new Set(all.v1.flatMap(({ controllers }) => controllers));
  const dropped: Kept['dropped'] = [];
  const { memory, blockIO, ...rest } = resources;
  const kept: Resources = { ...rest };
  if (memory) {
    const { swappiness, disableOOMKiller, ...plain } = memory;
    const known: MemoryResources = { ...plain };
    const why = 'cgroup v2 has nothing for it';
    if (v1.has('memory')) Object.assign(known, memory);
    else {
      if (swappiness !== undefined) dropped.push({ attribute: 'mem_swappiness', why });
      if (disableOOMKiller) dropped.push({ attribute: 'oom_kill_disable', why });
    }
    if (Object.keys(known).length > 0) kept.memory = known;
  }
  if (blockIO && Object.keys(blockIO).length > 0) {
    if (v1.has('blkio') || all.v2?.controllers.includes('io')) kept.blockIO = blockIO as BlockIo;
    else
      dropped.push({
        attribute: 'blkio_config',
        why: 'this machine has neither the controller blkio (v1) nor io (v2)',
      });
  }
  return { resources: kept, dropped };
}
