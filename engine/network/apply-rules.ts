/** Puts the rules of a stack into the kernel. */
import { readFileSync } from 'node:fs';
import type { NetworkRecord } from '../../schemas/container.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { protocol, send } from './netlink/netlink.ts';
import { transaction } from './nft/messages.ts';
import { type RuleInput, ruleRequests } from './rules.ts';

/** @throws StackError network.kernel: nothing was changed */
export async function applyRules(kernel: NetworkVerbs, input: RuleInput): Promise<void> {
  await send(kernel, protocol.netfilter, null, transaction(ruleRequests(input)));
  // Only now: the chain `guard` must be there before the host's loopback can be reached through the bridge.
  if (!input.containers.some(({ ports }) => ports.length > 0)) return;
  await Promise.all(
    input.networks.filter((record) => record.ipv4 && !record.isInternal).map((record) => routeLocalnet(kernel, record)),
  );
}

/** ip-sysctl `route_localnet`: what the host sends from 127.0.0.1 to a published port may leave by the bridge. */
async function routeLocalnet(kernel: NetworkVerbs, { bridge }: NetworkRecord): Promise<void> {
  const path = `net/ipv4/conf/${bridge}/route_localnet`;
  try {
    if (readFileSync(`/proc/sys/${path}`, 'utf8').trim() === '1') return;
  } catch {
    // The bridge is gone: writing says so.
  }
  await kernel.writeSysctl(null, path, '1');
}
