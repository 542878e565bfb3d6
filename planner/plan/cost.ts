/** What an operation costs those who use the stack: time in which something is not there, and data. */
import type { Operation } from '../../schemas/plan.ts';

export interface Cost {
  /** Something that runs ends: for as long as the rest of the plan takes, or for good. */
  downtime?: true;
  /** Gone for good, each in words: `its writable layer`. */
  loses?: string[];
}

/** Undefined for an operation that costs nothing but work. @param plan the operations it is one of, those on its resource at least */
export function costOf(operation: Operation, plan: Operation[]): Cost | undefined {
  switch (operation.kind) {
    case 'container.stop':
      return hasSuccessor(operation, plan) ? undefined : { downtime: true };
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

/** Another of its name runs by then: `update_config.order: start-first`. */
function hasSuccessor(stop: Operation, plan: Operation[]): boolean {
  const isStart = ({ kind, resource }: Operation) => kind === 'container.start' && resource === stop.resource;
  const start = plan.findIndex(isStart);
  return start >= 0 && start < plan.indexOf(stop);
}

const isAnonymous = (mount: { type: string; isAnonymous?: boolean }) => mount.type === 'volume' && mount.isAnonymous;

/** `(downtime, loses its writable layer)`; empty where the operations together cost nothing. */
export function costText(operations: Operation[], plan: Operation[]): string {
  const costs = operations.flatMap((operation) => costOf(operation, plan) ?? []);
  const loses = [...new Set(costs.flatMap((cost) => cost.loses ?? []))];
  const parts = [
    ...(costs.some(({ downtime }) => downtime) ? ['downtime'] : []),
    ...(loses.length > 0 ? [`loses ${loses.join(' and ')}`] : []),
  ];
  return parts.length > 0 ? `(${parts.join(', ')})` : '';
}
