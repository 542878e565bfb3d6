/**
 * Before a container starts it is given what the watch brought into its service's containers since their image was made, as
 * the files are now: what was edited while nothing ran arrives too.
 */
import { closeSync } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { StackError } from '../../schemas/errors.ts';
import type { Host } from '../host.ts';
import { openContainerRoot } from './container-root.ts';
import { type Delivered, deliver } from './deliver.ts';
import { deliveriesOf, readManifest, takeOver, writeManifest } from './manifest.ts';
import { scan } from './scan.ts';

/** In a turn (turn.ts) that began before the container was mounted. @param onWarning told of each file that could not be written; the container starts all the same. */
export async function replay(
  host: Host,
  record: ContainerRecord,
  onWarning: (error: StackError) => void = () => {},
): Promise<Delivered | undefined> {
  const roots = readManifest(host, record.stack, record.service);
  if (!roots) return undefined;
  const deliveries = roots.flatMap((root) => {
    const now = scan(root.paths);
    // A project that was moved away has not lost its files.
    return now ? deliveriesOf(root, takeOver(root, now)) : [];
  });
  if (deliveries.some(({ isChanged }) => isChanged)) writeManifest(host, record.stack, record.service, roots);
  const root = deliveries.length > 0 ? openContainerRoot(host, record) : undefined;
  if (root === undefined) return undefined;
  try {
    const delivered = await deliver(host.kernel.filesystem, root, deliveries, record.name);
    delivered.errors.forEach(onWarning);
    return delivered;
  } finally {
    closeSync(root);
  }
}

export { takeTurn } from './turn.ts';
