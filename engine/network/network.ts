/**
 * Networks of this machine: bridges, endpoints, rules, published ports and names, all by netlink.
 *
 * A container's way through here: `allocate` (addresses, before its record is written) → `attach` (its namespace joins
 * the bridges) → `sync` (rules for everything the stack publishes) → `release` once its record is gone.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ContainerRecord,
  type Endpoint,
  type NetworkRecord,
  noStack,
  type PublishedPort,
} from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { Network } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { createRuleWriter } from './apply-rules.ts';
import { attach } from './attach.ts';
import { claimBridge, findBridges, isBridgeFiltered, makeBridge } from './bridges.ts';
import { coalesce } from './coalesce.ts';
import { bridgeTaken, foreign, inUse, notThere } from './conflicts.ts';
import { checkDriver, defineNetwork } from './definition.ts';
import { type EndpointRequest, hostInterfaces, makeEndpoints, useOf } from './endpoints.ts';
import { closeForwarding, openForwarding } from './forwarding.ts';
import { findHolder } from './holders.ts';
import { bridgeAlias, isOwnName } from './identity.ts';
import { foreignContainers, noteMember } from './members.ts';
import { clearLive, writeNames } from './names.ts';
import type { Link } from './netlink/link.ts';
import { tryParent } from './parent.ts';
import { holdPorts, type PortRequest, type Reservation, reservePorts } from './ports.ts';
import { createReaper } from './reaper.ts';
import { loadRecord, loadRecords, removeRecord, saveRecord } from './records.ts';
import type { RuleInput } from './rules.ts';
import { chooseSubnets, defaultPools } from './subnets.ts';
import { subnetsOf, takenSubnets } from './taken.ts';

/** What rules and names are made of. */
export type Member = Pick<ContainerRecord, 'id' | 'name' | 'endpoints' | 'ports'>;

/** `isRunning`: its namespace has other interfaces already. */
export interface Joining {
  stack: string;
  id: string;
  endpoints: Endpoint[];
  isRunning?: boolean;
}

export interface Networks {
  /**
   * Makes network `key` of a stack, or what is missing of it: record and bridge.
   * @throws StackError network.overlap, network.address, network.address-exhausted, network.kernel, config.not-supported
   */
  create(stack: string, key: string, config: Network): Promise<NetworkRecord>;
  /** Writes what only the record says: labels. @throws StackError network.not-found, network.overlap */
  update(stack: string, config: Network): NetworkRecord;
  /** Every network of the machine, or those of one stack. */
  list(stack?: string): NetworkRecord[];
  /** By its name on the machine. */
  find(name: string): NetworkRecord | undefined;
  /**
   * Bridges and records go, with a stack's last network its rules, with the machine's last what was changed to forward.
   * Whatever is already gone is no error.
   * @throws StackError network.in-use for those that other stacks have containers on; the rest is removed
   */
  remove(records: NetworkRecord[]): Promise<void>;
  /**
   * Addresses and interface names for a container to be made; nobody else gets them until `release`.
   * @throws StackError network.not-found, network.address, network.address-exhausted
   */
  allocate(request: EndpointRequest, siblings: ContainerRecord[]): Endpoint[];
  release(id: string): void;
  /** Joins `namespace` to the bridges of `endpoints`. With none, only its loopback comes up. */
  attach(namespace: Fd, container: Joining): Promise<void>;
  /**
   * Makes the rules of a stack and the names on its networks what `containers` need: all of the stack that are created
   * or running. One transaction; concurrent calls for a stack share one. Call it whenever that list has changed, and
   * before a start. Without networks the stack's rules go.
   */
  sync(stack: string, networks: NetworkRecord[], containers: Member[]): Promise<void>;
  /**
   * Chooses and binds the host ports of a container: sockets for its monitor to hold.
   * @throws StackError network.port-taken naming who has it, network.address, config.value, config.not-supported
   */
  reserve(request: PortRequest): Reservation;
  /** Binds the ports of a container that starts again. Throws as `reserve`. */
  hold(container: string, ports: PublishedPort[]): Fd[];
  /**
   * Removes the links of endpoints soon, many at once; `remove` takes them along. The kernel does the same a moment after
   * the last process of their namespace has gone, so nothing is lost where this process ends before.
   */
  detach(endpoints: Endpoint[]): void;
  /** Waits until what `detach` was told is done. Throws StackError network.kernel where it failed. */
  settle(): Promise<void>;
}

export function createNetworks(host: Host): Networks {
  const { kernel, layout } = host;
  const verbs = kernel.network;
  const bridges = new Map<string, Link>();
  const reaper = createReaper(verbs);
  /** Endpoints handed out by this process, by container id. */
  const reserved = new Map<string, Endpoint[]>();

  /** One command at a time chooses subnets or changes what the host forwards: those are the machine's, not a stack's. */
  async function exclusively<T>(work: () => Promise<T>): Promise<T> {
    mkdirSync(layout.locks, { recursive: true, mode: 0o700 });
    const fd = openSync(join(layout.locks, '.networks'), 'a', 0o600);
    try {
      await kernel.filesystem.flock(fd, 'exclusive', true);
      return await work();
    } finally {
      closeSync(fd);
    }
  }

  async function makeRecord(
    stack: string,
    key: string,
    config: Network,
    records: NetworkRecord[],
  ): Promise<NetworkRecord> {
    const { bridge, parent } = defineNetwork(stack, key, config, {});
    const rival = records.find((record) => !parent && record.bridge === bridge);
    if (rival) throw bridgeTaken(config, rival);
    // A bridge without a record has an address of its own: it would keep it beside the one chosen now.
    const isStale = !parent && (isOwnName(bridge) || (await claimBridge(verbs, { bridge, stack, name: config.name })));
    const all = await takenSubnets(verbs, records, isStale ? bridge : undefined);
    // On a parent the addresses are those of its own network: the host has a route there.
    const taken = parent && config.ipam.config?.length ? subnetsOf(records) : all;
    const subnets = chooseSubnets(config, host.settings.network?.pools ?? defaultPools, taken);
    const record = defineNetwork(stack, key, config, subnets);
    saveRecord(layout, record);
    return record;
  }

  async function create(stack: string, key: string, config: Network): Promise<NetworkRecord> {
    checkDriver(key, config);
    let made: NetworkRecord | undefined;
    try {
      const { record, bridge } = await exclusively(async () => {
        const others = loadRecords(layout).filter(({ name }) => name !== config.name);
        let record = loadRecord(layout, config.name);
        if (!record) record = made = await makeRecord(stack, key, config, others);
        if (record.stack !== stack && record.stack !== noStack) throw foreign(record);
        if (record.parent) return { record, bridge: tryParent(verbs, record) };
        if (!made && !isOwnName(record.bridge)) await claimBridge(verbs, record);
        const bridge = makeBridge(verbs, record);
        bridge.catch(() => {}); // awaited below, unless forwarding fails first
        await openForwarding(verbs, needsForwarding([record]), namedBridges([record, ...others]));
        return { record, bridge };
      });
      const link = await bridge;
      if (!record.parent) bridges.set(record.bridge, link);
      // Nobody else writes the rules of what is no stack's.
      if (record.stack === noStack) await sync(noStack, listRecords(noStack), []);
      return record;
    } catch (error) {
      // What of it is there goes again. Where that fails too, the next command finds it by its record.
      if (made) await remove([made]).catch(() => {});
      throw error;
    }
  }

  function update(stack: string, config: Network): NetworkRecord {
    const record = loadRecord(layout, config.name);
    if (!record) throw notThere(config);
    if (record.stack !== stack) throw foreign(record);
    const updated = { ...record, labels: config.labels ?? {}, config };
    saveRecord(layout, updated);
    return updated;
  }

  interface Membership extends RuleInput {
    containers: Member[];
  }
  const syncs = new Map<string, (input: Membership) => Promise<void>>();
  function sync(stack: string, networks: NetworkRecord[], containers: Member[]): Promise<void> {
    let run = syncs.get(stack);
    if (!run) {
      const writeRules = createRuleWriter(verbs);
      run = coalesce(async (input) => {
        await Promise.all([writeRules(input), publishNames(input)]);
      });
      syncs.set(stack, run);
    }
    return run({ stack, networks, containers });
  }

  async function publishNames({ stack, networks, containers }: Membership): Promise<void> {
    for (const record of networks) {
      const file = layout.networkNames(record.name);
      const others = foreignContainers(layout, record, stack);
      const write = () => writeNames(file, record.name, [...containers, ...others]);
      // Alone on it, the stack's lock is enough.
      if (others.length === 0) write();
      else await exclusively(async () => write());
    }
  }

  function needsForwarding(records: NetworkRecord[]): { ipv4: boolean; ipv6: boolean } {
    const open = records.filter((record) => record.bridge && !record.isInternal);
    return { ipv4: open.some((record) => record.ipv4), ipv6: open.some((record) => record.ipv6) };
  }

  /** Networks that calls of `remove` are at work on: together they see which stack keeps none. */
  const leaving = new Set<string>();
  async function remove(asked: NetworkRecord[]): Promise<void> {
    const users = new Map(asked.map((record) => [record, foreignContainers(layout, record, record.stack)]));
    const records = asked.filter((record) => users.get(record)?.length === 0);
    for (const record of records) leaving.add(record.name);
    const bare = new Set(records.map((record) => record.stack));
    for (const record of loadRecords(layout)) if (!leaving.has(record.name)) bare.delete(record.stack);
    try {
      const bridgesGone = ownBridges(records).then((names) => reaper.flush(names));
      bridgesGone.catch(() => {}); // awaited below, unless the lock fails first
      const rulesGone = [...bare].map((stack) => sync(stack, [], []));
      const left = () => loadRecords(layout).filter((record) => !leaving.has(record.name));
      const recordsGone = exclusively(async () => {
        const named = namedBridges(records).length > 0 ? namedBridges(left()) : undefined;
        await Promise.all([bridgesGone, closeForwarding(verbs, needsForwarding(left()), named)]);
        // Last, and under the same lock: who finds no record but its own is the one who closes.
        for (const record of records) removeRecord(layout, record.name);
      });
      await Promise.all([recordsGone, ...rulesGone]);
      for (const record of records) bridges.delete(record.bridge);
    } finally {
      for (const record of records) leaving.delete(record.name);
    }
    const kept = asked.find((record) => !records.includes(record));
    if (kept) throw inUse(kept, users.get(kept)!);
  }

  /** Those whose name the stack file chose. */
  const namedBridges = (records: NetworkRecord[]) =>
    records.map(({ bridge }) => bridge).filter((bridge) => bridge !== '' && !isOwnName(bridge));

  /** Names of the bridges to remove: a name that the stack file chose may be another's link by now. */
  async function ownBridges(all: NetworkRecord[]): Promise<string[]> {
    const records = all.filter(({ bridge }) => bridge !== '');
    const chosen = records.filter(({ bridge }) => !isOwnName(bridge));
    if (chosen.length === 0) return records.map(({ bridge }) => bridge);
    const links = await findBridges(
      verbs,
      chosen.map(({ bridge }) => bridge),
    );
    const isOurs = ({ bridge, stack, name }: NetworkRecord) => {
      const alias = links.get(bridge)?.alias;
      // A stray has the name of its link alone.
      return alias === bridgeAlias(stack, name) || (name === bridge && alias?.startsWith(bridgeAlias(stack, '')));
    };
    return records.filter((record) => isOwnName(record.bridge) || isOurs(record)).map(({ bridge }) => bridge);
  }

  function allocate(request: EndpointRequest, siblings: ContainerRecord[]): Endpoint[] {
    const promised = [...reserved]
      .filter(([id]) => id !== request.replaces?.id)
      .map(([id, endpoints]) => ({ id, endpoints }));
    const use = (record: NetworkRecord) => {
      noteMember(layout, record, request.stack);
      const others = foreignContainers(layout, record, request.stack);
      return useOf(record.name, [...siblings, ...others, ...promised]);
    };
    const endpoints = makeEndpoints(request, use);
    reserved.set(request.id, endpoints);
    for (const { networkName, slot } of endpoints) clearLive(layout.networkNames(networkName), slot);
    return endpoints;
  }

  async function attachContainer(namespace: Fd, { stack, id, endpoints, isRunning }: Joining): Promise<void> {
    await reaper.spare(hostInterfaces(endpoints));
    const unknown = endpoints.map((endpoint) => endpoint.bridge).filter((bridge) => bridge && !bridges.has(bridge));
    if (unknown.length > 0) {
      for (const [name, link] of await findBridges(verbs, unknown)) bridges.set(name, link);
    }
    await attach(verbs, { namespace, stack, id, endpoints, bridges, isRunning, isBridgeFiltered: isBridgeFiltered() });
  }

  const listRecords = (stack?: string) =>
    loadRecords(layout).filter((record) => stack === undefined || record.stack === stack);

  return {
    create,
    update,
    list: listRecords,
    find: (name) => loadRecord(layout, name),
    remove,
    allocate,
    release: (id) => void reserved.delete(id),
    attach: attachContainer,
    sync,
    reserve: (request) => reservePorts(verbs, request, (port) => findHolder(layout, port)),
    hold: (container, ports) => holdPorts(verbs, container, ports, (port) => findHolder(layout, port)),
    detach: (endpoints) => reaper.add(hostInterfaces(endpoints)),
    settle: () => reaper.flush(),
  };
}
