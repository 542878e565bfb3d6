/**
 * From a container's directory to a shim that waits for start. Used when a container is made and whenever it is
 * started again: network namespace, links, cgroups and held ports are new each time; everything else lies on disk.
 */
import { closeSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRecord } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Host } from '../host.ts';
import type { Networks } from '../network/network.ts';
import { cgroupPlan, hierarchies, makeCgroups, removeCgroups } from '../runtime/cgroup/cgroup.ts';
import { Connection, frame, readFailure } from '../runtime/control.ts';
import { readSpec } from '../runtime/spec-json.ts';
import { stepError } from './failure.ts';
import { namespacePeer, openNamespaceOf, openOthers } from './peers.ts';
import { makeSharedMemory } from './shared-memory.ts';

/** Files of a container's directory (engine/state/layout). */
export const files = {
  spec: 'config.json',
  program: 'program',
  record: 'container.json',
  image: 'image.json',
} as const;

/** What was decided for a container when it was made. */
export interface Bundle {
  spec: RuntimeSpec;
  program: Uint8Array;
}

/** The bundle of a container that starts again. @throws state.damaged */
export function readBundle(host: Host, record: ContainerRecord): Bundle {
  const directory = host.layout.containerDir(record.stack, record.id);
  const spec = readSpec(readFileSync(join(directory, files.spec), 'utf8'), join(directory, files.spec));
  return { spec, program: readFileSync(join(directory, files.program)) };
}

export interface Launch {
  record: ContainerRecord;
  bundle: Bundle;
  /** Candidates for `network_mode: service:x` and what else is shared. */
  peers: ContainerRecord[];
  /** Sockets that hold the record's ports. */
  held: Fd[];
  /** Rules and names include the container: the shim maps the tables of names. */
  published: Promise<void>;
}

/** Runs the container's program up to runtime-spec's `created` state. Closes what it was handed. */
export async function launch(host: Host, networks: Networks, request: Launch): Promise<void> {
  const { record, peers } = request;
  const { spec, program } = request.bundle;
  mkdirSync(host.layout.containerRun(record.id), { recursive: true, mode: 0o700 });
  const fds = [...request.held];
  try {
    const { path, plan } = containerCgroup(spec);
    if (path) {
      // Anew, where there is one: a process that changed its user has lost its death signal and may have outlived its
      // monitor in it. And Linux ≥ 6.14 kills whatever is cloned into a cgroup that cgroup.kill was ever written to, as
      // a removal that was interrupted leaves it.
      if (plan.directories.some((directory) => existsSync(directory))) await removeCgroups(path);
      makeCgroups(plan, host.kernel.process);
    }
    makeSharedMemory(host, record);
    // The program names namespaces as the first descriptors, the network's before the others.
    fds.unshift(...openOthers(host, record, peers));
    const network = await openNetwork(host, networks, record, peers);
    if (network !== undefined) fds.unshift(network);
    await request.published;
    const socket = await host.kernel.process.spawnShim({ program, fds });
    const connection = new Connection(socket, record.name);
    const answer = await connection.next().finally(() => connection.close());
    if (answer.type === frame.error) throw stepError(record, readFailure(answer.body));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** The cgroups `linux.resources` asks for. */
export function containerCgroup(spec: RuntimeSpec) {
  const path = spec.linux?.cgroupsPath ?? '';
  return { path, plan: cgroupPlan(spec.linux?.resources ?? {}, hierarchies(), path) };
}

/** The namespace the container lives in; undefined where it is the host's. */
async function openNetwork(
  host: Host,
  networks: Networks,
  record: ContainerRecord,
  peers: ContainerRecord[],
): Promise<Fd | undefined> {
  const mode = record.config.network_mode ?? '';
  if (mode === 'host') return undefined;
  const peer = namespacePeer('network', record, peers);
  if (peer) return openNamespaceOf(host, 'network', record, peer);
  const namespace = await host.kernel.network.createNamespace();
  try {
    await networks.attach(namespace, { stack: record.stack, id: record.id, endpoints: record.endpoints });
    return namespace;
  } catch (error) {
    closeSync(namespace);
    throw error;
  }
}
