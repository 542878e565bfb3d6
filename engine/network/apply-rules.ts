/** Puts the rules of a stack into the kernel. */
import { readFileSync } from 'node:fs';
import type { NetworkRecord } from '../../schemas/container.ts';
import type { NetworkVerbs } from '../../schemas/kernel.ts';
import { forgetUdp } from './netlink/conntrack.ts';
import type { Request } from './netlink/message.ts';
import { protocol, send } from './netlink/netlink.ts';
import { transaction } from './nft/messages.ts';
import { type RuleInput, ruleRequests } from './rules.ts';

/**
 * Answers a function that replaces the rules of one stack. It remembers where UDP ports led, so that connections are
 * forgotten only where a port leads elsewhere than before.
 */
export function createRuleWriter(kernel: NetworkVerbs): (input: RuleInput) => Promise<void> {
  let known = new Map<string, string>();
  return async (input) => {
    const targets = udpTargets(input);
    const moved = [...targets].filter(([port, target]) => known.get(port) !== target).map(([port]) => port);
    await send(kernel, protocol.netfilter, null, transaction(ruleRequests({ hasLoopback6: hasLoopback6(), ...input })));
    await Promise.all([forget(kernel, moved), routeLocalnets(kernel, input)]);
    known = targets;
  };
}

/** What each published UDP port leads to, as text that is equal where nothing has changed. */
function udpTargets({ containers }: RuleInput): Map<string, string> {
  const targets = new Map<string, string>();
  for (const { id, ports, endpoints } of containers) {
    for (const { protocol, hostAddress, hostPort, containerPort } of ports) {
      if (protocol !== 'udp') continue;
      const key = `${hostAddress.includes(':') ? 'ipv6' : 'ipv4'} ${hostPort}`;
      const addresses = endpoints.map(({ ipv4, ipv6 }) => `${ipv4?.address} ${ipv6?.address}`);
      targets.set(key, `${targets.get(key) ?? ''} ${hostAddress} ${id} ${containerPort} ${addresses}`);
    }
  }
  return targets;
}

async function forget(kernel: NetworkVerbs, moved: string[]): Promise<void> {
  const requests = moved.map((key): Request => {
    const [family, port] = key.split(' ');
    return forgetUdp(family as 'ipv4' | 'ipv6', Number(port));
  });
  await send(kernel, protocol.netfilter, null, requests);
}

/** After the rules: the chain `guard` must be there before the host's loopback can be reached through a bridge. */
async function routeLocalnets(kernel: NetworkVerbs, { networks, containers }: RuleInput): Promise<void> {
  if (!containers.some(({ ports }) => ports.length > 0)) return;
  const open = networks.filter((record) => record.bridge && record.ipv4 && !record.isInternal);
  await Promise.all(open.map((record) => routeLocalnet(kernel, record)));
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

/**
 * br_netfilter translates answers back on the bridge already, and what has ::1 as its destination then is dropped on the
 * way up from it.
 */
function hasLoopback6(): boolean {
  try {
    return readFileSync('/proc/sys/net/bridge/bridge-nf-call-ip6tables', 'utf8').trim() === '0';
  } catch {
    return true;
  }
}
