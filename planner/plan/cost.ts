/** What an operation costs those who use the stack: time in which something is not there, and data. */
import type { Operation } from '../../schemas/plan.ts';

export interface Cost {
  /** Something that runs ends: for as long as the rest of the plan takes, or for good. */
  downtime?: true;
  /** Gone for good, each in words: `its writable layer`. */
  loses?: string[];
}

/** Undefined for an operation that costs nothing but work. */
export function costOf(operation: Operation): Cost | undefined {
  switch (operation.kind) {
    case 'container.stop':
      return { downtime: true };
    case 'container.remove': {
      const { mounts } = operation.record;
      const isEmptied = operation.removeAnonymousVolumes && mounts.some(isAnonymous);
      return { loses: ['its writable layer', ...(isEmptied ? ['its anonymous volumes'] : [])] };
    }
    case 'volume.remove':
      return { loses: ['all its data'] };
    default:
      return undefined;
  }
}

const isAnonymous = (mount: { type: string; isAnonymous?: boolean }) => mount.type === 'volume' && mount.isAnonymous;

/** `(downtime, loses its writable layer)`; empty where the operations together cost nothing. */
export function costText(operations: Operation[]): string {
  const costs = operations.flatMap((operation) => costOf(operation) ?? []);
  const loses = [...new Set(costs.flatMap((cost) => cost.loses ?? []))];
  const parts = [
    ...(costs.some(({ downtime }) => downtime) ? ['downtime'] : []),
    ...(loses.length > 0 ? [`loses ${loses.join(' and ')}`] : []),
  ];
  return parts.length > 0 ? `(${parts.join(', ')})` : '';
}
