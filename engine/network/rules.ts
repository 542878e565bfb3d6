/**
 * The rules of a stack: one nftables table, regenerated whole. Packets are decided by sets and maps, so the number of
 * rules a packet passes is the same for one container and for a thousand.
 *
 *   guard        raw        nothing from a container reaches the host's 127.0.0.0/8 (route_localnet opens it)
 *   prerouting   dstnat     published ports, from other hosts and from containers
 *   output       dstnat     published ports, from the host itself
 *   postrouting  srcnat     outbound masquerade; loopback and hairpin connections come back through the host
 *   input        filter     an internal network does not reach the host
 *   forward      filter     what may pass to and from the bridges
 *
 * Accepting here only ends this table's say: the host's own firewall decides after it, and its drop is final.
 */

import { addressBytes, broadcast, network, offset, parseAddress, parseSubnet } from '../../planner/network/address.ts';
import { bridgeOptions } from '../../planner/network/bridge-options.ts';
import type { ContainerRecord, NetworkRecord } from '../../schemas/container.ts';
import { isMasqueraded } from './definition.ts';
import { type Family, families, isFamily } from './families.ts';
import type { Request } from './netlink/message.ts';
import {
  base,
  byte,
  compare,
  ct,
  ctKey,
  destinationType,
  dnat,
  lookup,
  mask,
  masquerade,
  meta,
  metaKey,
  nfproto,
  payload,
  register,
  verdict,
} from './nft/expressions.ts';
import {
  addChain,
  addElements,
  addRule,
  addSet,
  addTable,
  type Element,
  hook,
  interfaceKey,
  type NamedSet,
  type Table,
  type,
  withoutTable,
} from './nft/messages.ts';
import { opened, openSets } from './open-rules.ts';
import { publications } from './publications.ts';

export interface RuleInput {
  stack: string;
  networks: NetworkRecord[];
  containers: Pick<ContainerRecord, 'id' | 'endpoints' | 'ports'>[];
  /** Ports published over IPv6 answer at ::1 too. */
  hasLoopback6?: boolean;
}

export const stackTable = (stack: string): Table => ({ family: nfproto.inet, name: `stack-${stack}` });

const RTN_LOCAL = 2;
const STATE_ESTABLISHED_OR_RELATED = 2 | 4;
const STATUS_DESTINATION_NAT = 32;
const PORT_OFFSET = 2;
const host32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
};

/** The requests that replace the stack's table; they leave none to a stack that neither has networks nor publishes. */
export function ruleRequests({ networks: all, ...rest }: RuleInput): Request[] {
  // What stands on an interface of the host passes no bridge of ours.
  const input = { ...rest, networks: all.filter(({ bridge }) => bridge !== '') };
  const table = stackTable(input.stack);
  const isNeeded =
    input.networks.some((record) => record.stack === input.stack) || input.containers.some(({ ports }) => ports.length);
  if (!isNeeded) return withoutTable(table);
  return [
    ...withoutTable(table),
    addTable(table),
    ...sets(table, input),
    ...chains(table, input.hasLoopback6 ?? false, opened(table, input)),
  ];
}

const isBridge = (key: number): Buffer[] => [meta(key, register(0)), lookup('bridges', register(0))];
const isInternal = (key: number): Buffer[] => [meta(key, register(0)), lookup('internal', register(0))];
const hasBits = (key: number, bits: number): Buffer[] => [
  ct(key, register(0)),
  mask(register(0), host32(bits)),
  compare(register(0), host32(0), true),
];
const isAnswer = hasBits(ctKey.state, STATE_ESTABLISHED_OR_RELATED);
const isPublished = hasBits(ctKey.status, STATUS_DESTINATION_NAT);

/** `opened`: rules that let in more than answers and what is published. */
function chains(table: Table, hasLoopback6: boolean, opened: Request[]): Request[] {
  const rule = (chain: string, ...parts: Buffer[][]) => addRule(table, chain, ...parts.flat());
  const drop = [verdict('drop')];
  const accept = [verdict('accept')];
  return [
    addChain(table, { name: 'guard', type: 'filter', hook: hook.prerouting, priority: -300 }),
    rule('guard', isBridge(metaKey.iifname), isFamily(families[0]), loopbackAt(families[0].destination), drop),
    addChain(table, { name: 'prerouting', type: 'nat', hook: hook.prerouting, priority: -100 }),
    ...families.flatMap((family) => publish(table, 'prerouting', family, hasLoopback6)),
    addChain(table, { name: 'output', type: 'nat', hook: hook.output, priority: -100 }),
    ...families.flatMap((family) => publish(table, 'output', family, hasLoopback6)),
    addChain(table, { name: 'postrouting', type: 'nat', hook: hook.postrouting, priority: 100 }),
    ...families.flatMap((family) => leave(table, family, hasLoopback6)),
    addChain(table, { name: 'input', type: 'filter', hook: hook.input, priority: 0 }),
    // Neighbour discovery is ICMPv6: without it the host could not open connections to the containers either.
    rule('input', isInternal(metaKey.iifname), isAnswer, accept),
    rule('input', isInternal(metaKey.iifname), notIcmp6, drop),
    addChain(table, { name: 'forward', type: 'filter', hook: hook.forward, priority: 0 }),
    rule(
      'forward',
      [meta(metaKey.iifname, register(0)), meta(metaKey.oifname, register(4)), lookup('same', register(0))],
      accept,
    ),
    rule('forward', isInternal(metaKey.iifname), drop),
    rule('forward', isInternal(metaKey.oifname), drop),
    rule('forward', isBridge(metaKey.oifname), isAnswer, accept),
    rule('forward', isBridge(metaKey.oifname), isPublished, accept),
    ...opened,
    rule('forward', isBridge(metaKey.oifname), drop),
  ];
}

const ICMP6 = 58;
const notIcmp6 = [meta(metaKey.l4proto, register(0)), compare(register(0), byte(ICMP6), true)];

/** The IPv4 address at `at` is in 127.0.0.0/8. */
const loopbackAt = (at: number): Buffer[] => [
  payload(base.network, at, 1, register(0)),
  compare(register(0), byte(127)),
];

const LOOPBACK6 = addressBytes(parseAddress('::1')!);
const atLoopback6 = (offset: number, isNot = false): Buffer[] => [
  payload(base.network, offset, 16, register(0)),
  compare(register(0), LOOPBACK6, isNot),
];

/** First the ports of one host address, then those of all. */
function publish(table: Table, chain: string, family: Family, hasLoopback6: boolean): Request[] {
  const { length } = family.address;
  const after = length / 4;
  const protocolAndPort = (at: number) => [
    meta(metaKey.l4proto, register(at)),
    payload(base.transport, PORT_OFFSET, 2, register(at + 1)),
  ];
  const translate = dnat(family.proto, register(0), register(after));
  return [
    addRule(
      table,
      chain,
      ...isFamily(family),
      payload(base.network, family.destination, length, register(0)),
      ...protocolAndPort(after),
      lookup(`bound${family.name}`, register(0), { to: register(0) }),
      translate,
    ),
    addRule(
      table,
      chain,
      ...isFamily(family),
      // Where no answer would come back, a connection to ::1 is refused at once and clients go on to 127.0.0.1.
      ...(family.proto === nfproto.ip6 && !hasLoopback6 ? atLoopback6(family.destination, true) : []),
      destinationType(register(0)),
      compare(register(0), host32(RTN_LOCAL)),
      ...protocolAndPort(0),
      lookup(`any${family.name}`, register(0), { to: register(0) }),
      translate,
    ),
  ];
}

/** What leaves under the host's address. */
function leave(table: Table, family: Family, hasLoopback6: boolean): Request[] {
  const { length } = family.address;
  const source = payload(base.network, family.source, length, register(0));
  const rule = (...parts: Buffer[][]) =>
    addRule(table, 'postrouting', ...isFamily(family), ...parts.flat(), masquerade());
  return [
    ...(family.proto === nfproto.ip ? [rule(isBridge(metaKey.oifname), loopbackAt(family.source))] : []),
    ...(family.proto === nfproto.ip6 && hasLoopback6
      ? [rule(isBridge(metaKey.oifname), atLoopback6(family.source))]
      : []),
    // A container that reaches a port published by its own network: the answer must take the way back through the host.
    rule(isPublished, [source, meta(metaKey.oifname, register(length / 4)), lookup(`own${family.name}`, register(0))]),
    rule(
      [source, lookup(`subnets${family.name}`, register(0))],
      [meta(metaKey.oifname, register(0)), lookup('inside', register(0), { isNot: true })],
    ),
  ];
}

function sets(table: Table, input: RuleInput): Request[] {
  const { networks } = input;
  const requests: Request[] = [];
  let id = 0;
  const set = (declared: NamedSet, elements: Element[]) => {
    requests.push(addSet(table, declared, ++id), ...addElements(table, declared.name, elements));
  };
  const keys = (names: string[]): Element[] => names.map((name) => ({ key: interfaceKey(name) }));
  const all = networks.map((record) => record.bridge);
  set({ name: 'bridges', key: [type.interface] }, keys(all));
  set({ name: 'inside', key: [type.interface] }, keys(['lo', ...all]));
  set({ name: 'internal', key: [type.interface] }, keys(networks.filter((n) => n.isInternal).map((n) => n.bridge)));
  set(
    { name: 'same', key: [type.interface, type.interface] },
    networks
      .filter(({ config }) => bridgeOptions(config).isConnected)
      .map(({ bridge }) => ({ key: Buffer.concat([interfaceKey(bridge), interfaceKey(bridge)]) })),
  );
  for (const family of families) {
    const { name, address, key } = family;
    set({ name: `subnets${name}`, key: [address], isInterval: true }, subnetElements(networks, key));
    set({ name: `own${name}`, key: [address, type.interface] }, ownElements(input, key));
    const { bound, any } = publications(input, key);
    const data = [address, type.port];
    set({ name: `bound${name}`, key: [address, type.protocol, type.port], data }, bound);
    set({ name: `any${name}`, key: [type.protocol, type.port], data }, any);
    for (const { declared, elements } of openSets(input, family)) set(declared, elements);
  }
  return requests;
}

function subnetElements(networks: NetworkRecord[], key: 'ipv4' | 'ipv6'): Element[] {
  return networks
    .filter((record) => !record.isInternal && record[key] && isMasqueraded(record, key))
    .flatMap((record) => {
      const subnet = parseSubnet(record[key]!.subnet)!;
      return [{ key: addressBytes(network(subnet)) }, { key: addressBytes(offset(broadcast(subnet), 1)), isEnd: true }];
    });
}

function ownElements({ containers }: RuleInput, key: 'ipv4' | 'ipv6'): Element[] {
  return containers.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) => {
      const address = endpoint.bridge && endpoint[key] ? parseAddress(endpoint[key].address) : undefined;
      return address ? [{ key: Buffer.concat([addressBytes(address), interfaceKey(endpoint.bridge)]) }] : [];
    }),
  );
}
