/** The containers whose namespaces and volumes another one shares: by service of the stack, or by name or id on the machine. */
import { closeSync, openSync, readdirSync } from 'node:fs';
import type { ContainerRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { NamespaceType } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import type { Host } from '../host.ts';
import { readStatus } from '../runtime/status.ts';
import { listContainers } from '../state/records.ts';

/** Namespaces that a service may share, and the file below /proc/<pid>/ns. */
export type SharedNamespace = 'network' | 'ipc' | 'pid';
const namespaceFiles: Record<SharedNamespace, string> = { network: 'net', ipc: 'ipc', pid: 'pid' };
const attributes = { network: 'network_mode', ipc: 'ipc', pid: 'pid' } as const;
export const sharedNamespaces = Object.keys(namespaceFiles) as SharedNamespace[];

type Sharing = Pick<ContainerRecord, 'config' | 'name'>;

/** Candidates: the stack's own, and all there are where the service names a container. */
export function candidates(host: Host, { config }: Pick<Sharing, 'config'>, own: ContainerRecord[]): ContainerRecord[] {
  const modes = [config.network_mode, config.ipc, config.pid, ...(config.volumes_from ?? [])];
  if (!modes.some((mode) => mode?.startsWith('container:'))) return own;
  const known = new Set(own.map(({ id }) => id));
  const others = stacks(host).flatMap((stack) => listContainers(host.layout, stack, 'leave out'));
  return [...own, ...others.filter(({ id }) => !known.has(id))];
}

function stacks({ layout }: Host): string[] {
  try {
    return readdirSync(layout.stacks);
  } catch {
    return [];
  }
}

/** `service:NAME` or `container:NAME` as a container; undefined for every other mode. @throws runtime.not-running */
export function namedPeer(
  mode: string | undefined,
  { name: who, what }: { name: string; what: string },
  peers: ContainerRecord[],
): ContainerRecord | undefined {
  const [, kind, name] = /^(service|container):(.+)$/s.exec(mode ?? '') ?? [];
  if (!kind || !name) return undefined;
  const isMeant = (one: ContainerRecord) =>
    kind === 'service'
      ? one.service === name && !one.isOneOff
      : one.name === name || (name.length >= 12 && one.id.startsWith(name));
  // While one is replaced there are two of a number: the newer one is meant.
  const [peer] = peers.filter(isMeant).sort((a, b) => a.number - b.number || (a.createdAt > b.createdAt ? -1 : 1));
  if (peer) return peer;
  throw new StackError('runtime.not-running', {
    message: `${who} shares the ${what} of ${kind} ${name}, which has no container.`,
    hint:
      kind === 'service' ? `Bring ${name} up first.` : `Make it first: \`stack ls\` and \`stack ps\` show the names.`,
    resource: `container ${who}`,
  });
}

/** Whose namespace of this kind it shares. @throws runtime.not-running */
export const namespacePeer = (kind: SharedNamespace, { config, name }: Sharing, peers: ContainerRecord[]) =>
  namedPeer(config[attributes[kind]], { name, what: kind === 'network' ? 'network' : `${kind} namespace` }, peers);

/** Every one it shares, by kind. @throws runtime.not-running, config.value for an ipc that is not shareable */
export function namespacePeers(container: Sharing, peers: ContainerRecord[]) {
  const found: Partial<Record<SharedNamespace, ContainerRecord>> = {};
  for (const kind of sharedNamespaces) {
    const peer = namespacePeer(kind, container, peers);
    if (peer) found[kind] = peer;
  }
  if (found.ipc && found.ipc.config.ipc !== 'shareable') throw notShareable(container.name, found.ipc);
  return found;
}

const notShareable = (name: string, peer: ContainerRecord) =>
  new StackError('config.value', {
    message: `${name} shares the IPC namespace of ${peer.name}, which does not say that it may be shared.`,
    hint: `Give the service ${peer.service} \`ipc: shareable\`.`,
    resource: `services.${peer.service}.ipc`,
  });

/** Where it is found as long as the peer's first process lives. */
export const namespacePath = (host: Host, kind: SharedNamespace, peer: ContainerRecord): string =>
  `/proc/${pidOf(host, peer)}/ns/${namespaceFiles[kind]}`;

/** @throws runtime.not-running */
export function openNamespaceOf(host: Host, kind: SharedNamespace, record: ContainerRecord, peer: ContainerRecord): Fd {
  // The shim's own first child may not run yet: its namespaces are those of the waiting process all the same.
  try {
    if (pidOf(host, peer) > 0) return openSync(namespacePath(host, kind, peer), 'r');
  } catch {
    // It ended in between.
  }
  throw new StackError('runtime.not-running', {
    message: `${record.name} shares the ${kind} namespace of ${peer.name}, which is not running.`,
    hint: `Start ${peer.name} first; \`stack logs ${peer.service}\` shows why it ended.`,
    resource: `container ${record.name}`,
  });
}

/** Those of `ipc` and `pid`, in the order the program numbers them behind the network's. */
export function openOthers(host: Host, record: ContainerRecord, peers: ContainerRecord[]): Fd[] {
  const opened: Fd[] = [];
  try {
    for (const kind of handedNamespaces(record.config)) {
      opened.push(openNamespaceOf(host, kind, record, namespacePeer(kind, record, peers)!));
    }
    return opened;
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

/** Kinds besides the network that come as descriptors. */
export const handedNamespaces = (config: Service): ('ipc' | 'pid')[] =>
  (['ipc', 'pid'] as const).filter((kind) => /^(service|container):/.test(config[kind] ?? ''));

/** Their index among the shim's descriptors, the network's being the first where there is one. */
export function handedIndexes(config: Service): Partial<Record<NamespaceType, number>> {
  const first = config.network_mode === 'host' ? 0 : 1;
  return Object.fromEntries(handedNamespaces(config).map((kind, at) => [kind, first + at]));
}

/** Pid of a container's first process; 0 where none runs, or its monitor is gone: the number may be another's by then. */
export const pidOf = (host: Host, peer: ContainerRecord): number =>
  readStatus(host.kernel, host.layout.containerRun(peer.id)).pid;
