/** Networks of macvlan and ipvlan: nothing of them is on the host but the interface that their containers stand on. */
import { closeSync } from 'node:fs';
import { parentOptions } from '../../planner/network/parent-options.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { findBridges } from './bridges.ts';
import { addOnParent, type Link } from './netlink/link.ts';
import { protocol, send } from './netlink/netlink.ts';

/**
 * Tries a link on the parent out, in a namespace that goes again: so a kernel without the driver, or a parent that is taken for
 * another one, is told before a container is made. Answers the parent.
 * @throws StackError network.not-found, host.kernel-feature, network.kernel
 */
export async function tryParent(kernel: NetworkVerbs, record: NetworkRecord): Promise<Link> {
  const options = parentOptions(record.config);
  const parent = (await findBridges(kernel, [options.parent])).get(options.parent);
  const resource = `network ${record.name}`;
  if (!parent) {
    throw new StackError('network.not-found', {
      message: `Network ${record.name} cannot stand on ${options.parent}: the host has no such interface.`,
      hint: 'Write one that `ip link` shows under driver_opts.parent; interfaces of a VLAN have to be made first.',
      resource,
    });
  }
  const namespace = await kernel.createNamespace();
  try {
    await send(kernel, protocol.route, null, [
      addOnParent({ ...options, name: 'trial', parent: parent.index, namespace }),
    ]);
  } catch (thrown) {
    const { errno, message } = thrown as StackError;
    if (errno !== 'EOPNOTSUPP') throw thrown;
    throw new StackError('host.kernel-feature', {
      message: `Network ${record.name}: this kernel has no ${options.driver}. ${message}`,
      hint: `Load the module ${options.driver}, or use the driver bridge.`,
      resource,
      errno,
      cause: thrown,
    });
  } finally {
    closeSync(namespace);
  }
  return parent;
}
