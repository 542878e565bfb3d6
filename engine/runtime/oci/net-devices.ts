/** linux.netDevices: links of the host move into the container. Source: runtime-spec config-linux.md "Network Devices", rtnetlink(7). */
import { closeSync, openSync } from 'node:fs';
import { formatAddress } from '../../../planner/network/address.ts';
import { StackError } from '../../../schemas/errors.ts';
import type { KernelPort } from '../../../schemas/kernel.ts';
import type { Linux } from '../../../schemas/oci-runtime.ts';
import { addAddress, getAddresses, readAddress } from '../../network/netlink/address.ts';
import { getLink, moveLink, readLink, setLink } from '../../network/netlink/link.ts';
import { protocol, send } from '../../network/netlink/netlink.ts';

/** Names, addresses and state go along. The kernel gives a link back to the host when its namespace ends. */
export async function moveNetDevices(
  kernel: KernelPort,
  pid: number,
  devices: Linux['netDevices'] = {},
): Promise<void> {
  const entries = Object.entries(devices);
  if (entries.length === 0) return;
  const { network } = kernel;
  const namespace = openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    const addresses = (await send(network, protocol.route, null, [getAddresses()])).flatMap(
      (one) => readAddress(one) ?? [],
    );
    for (const [name, { name: inside = name }] of entries) {
      const [found] = await send(network, protocol.route, null, [getLink(name)]).catch((cause) => {
        throw new StackError('network.not-found', {
          message: `linux.netDevices names ${name}, and this host has no such link.`,
          hint: 'Compare it with `ip link`.',
          resource: `linux.netDevices.${name}`,
          cause,
        });
      });
      const { index } = readLink(found!);
      await send(network, protocol.route, null, [moveLink(index, inside, namespace)]);
      const [moved] = await send(network, protocol.route, namespace, [getLink(inside)]);
      const there = readLink(moved!).index;
      const own = addresses.filter((one) => one.index === index && !isLinkLocal(formatAddress(one.subnet.address)));
      await send(network, protocol.route, namespace, [
        ...own.map(({ subnet }) => addAddress(there, subnet.address, subnet.prefix, inside)),
        setLink(inside, { isUp: true }),
      ]);
    }
  } finally {
    closeSync(namespace);
  }
}

/** Made anew by the kernel where the link comes up. */
const isLinkLocal = (address: string) => /^fe[89ab]/i.test(address);
