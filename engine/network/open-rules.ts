/**
 * Rules for networks whose gateway mode lets in more than published ports (planner/network/bridge-options): `nat-unprotected`
 * everything, `routed` the published ports of its containers at their own addresses, and ICMP. A stack without such networks
 * has none of them.
 */
import { addressBytes, parseAddress } from '../../planner/network/address.ts';
import { bridgeOptions, type GatewayMode } from '../../planner/network/bridge-options.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { type Family, families, isFamily } from './families.ts';
import type { Request } from './netlink/message.ts';
import { base, lookup, meta, metaKey, payload, register, verdict } from './nft/expressions.ts';
import { addRule, type Element, field, interfaceKey, type NamedSet, type Table, type } from './nft/messages.ts';
import { protocolField, targetOf } from './publications.ts';
import type { RuleInput } from './rules.ts';

const ICMP = { ipv4: 1, ipv6: 58 };

const withMode = (networks: NetworkRecord[], key: 'ipv4' | 'ipv6', mode: GatewayMode): NetworkRecord[] =>
  networks.filter((one) => one[key] && !one.isInternal && bridgeOptions(one.config).gatewayMode[key] === mode);

/** The sets of one family that {@link opened} looks into; none that would be empty. */
export function openSets(input: RuleInput, family: Family): { declared: NamedSet; elements: Element[] }[] {
  const { name, key, address } = family;
  const unprotected = withMode(input.networks, key, 'nat-unprotected');
  const routed = withMode(input.networks, key, 'routed');
  const sets = [
    {
      declared: { name: `unprotected${name}`, key: [type.interface] },
      elements: unprotected.map(({ bridge }) => ({ key: interfaceKey(bridge) })),
    },
    {
      declared: { name: `pinged${name}`, key: [type.interface, type.protocol] },
      elements: routed.map(({ bridge }) => ({
        key: Buffer.concat([interfaceKey(bridge), field(Buffer.of(ICMP[key]))]),
      })),
    },
    {
      declared: { name: `routed${name}`, key: [address, type.protocol, type.port] },
      elements: routedElements(input, key),
    },
  ];
  return sets.filter(({ elements }) => elements.length > 0);
}

/** Address, protocol and port of what containers on routed networks publish. */
function routedElements(input: RuleInput, key: 'ipv4' | 'ipv6'): Element[] {
  const elements = new Map<string, Element>();
  for (const { endpoints, ports } of input.containers) {
    const target = targetOf(endpoints, input.networks, key);
    if (!target || !isRouted(input.networks, target.networkName, key)) continue;
    for (const { protocol, containerPort, hostAddress } of ports) {
      if (parseAddress(hostAddress || '0.0.0.0')?.family !== (key === 'ipv4' ? 4 : 6)) continue;
      const port = field(Buffer.of(containerPort >> 8, containerPort & 255));
      const address = addressBytes(parseAddress(target[key]!.address)!);
      const element = Buffer.concat([address, protocolField(protocol), port]);
      elements.set(element.toString('hex'), { key: element });
    }
  }
  return [...elements.values()];
}

/** Whether ports of containers on the network are open at their own addresses of the family, and at none of the host. */
export function isRouted(networks: NetworkRecord[], name: string, key: 'ipv4' | 'ipv6'): boolean {
  return withMode(networks, key, 'routed').some((one) => one.name === name);
}

/** For the chain `forward`, before what is left is dropped. */
export function opened(table: Table, input: RuleInput): Request[] {
  return families.flatMap((family) => {
    const { name, address, destination } = family;
    const { length } = address;
    const conditions: Record<string, Buffer[]> = {
      unprotected: [meta(metaKey.oifname, register(0))],
      pinged: [meta(metaKey.oifname, register(0)), meta(metaKey.l4proto, register(4))],
      routed: [
        payload(base.network, destination, length, register(0)),
        meta(metaKey.l4proto, register(length / 4)),
        payload(base.transport, 2, 2, register(length / 4 + 1)),
      ],
    };
    const present = openSets(input, family).map(({ declared }) => declared.name);
    return Object.entries(conditions)
      .filter(([set]) => present.includes(`${set}${name}`))
      .map(([set, loads]) =>
        addRule(
          table,
          'forward',
          ...isFamily(family),
          ...loads,
          lookup(`${set}${name}`, register(0)),
          verdict('accept'),
        ),
      );
  });
}
