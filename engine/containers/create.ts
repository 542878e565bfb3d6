/** Making a container: everything it needs decided and written down, then launched up to `created`. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseDuration } from '../../planner/load/duration.ts';
import { grantsOf } from '../../planner/reconcile/grants.ts';
import { type ContainerRecord, recordFormat } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { NamespaceType, RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import { findDevice, serviceDevices } from '../devices/devices.ts';
import type { Host } from '../host.ts';
import type { Networks } from '../network/network.ts';
import { publishingOf } from '../network/publications.ts';
import { ownCapabilities } from '../runtime/capabilities.ts';
import { hierarchies } from '../runtime/cgroup/cgroup.ts';
import { withoutUnkeepable } from '../runtime/cgroup/optional.ts';
import { containerFiles, type HostFiles } from '../runtime/files.ts';
import { stopSignalOf } from '../runtime/signals.ts';
import { type NamespaceChoice, toRuntimeSpec } from '../runtime/spec.ts';
import { writeSpec } from '../runtime/spec-json.ts';
import { bytes } from '../runtime/spec-resources.ts';
import { imageAccounts, resolveUser, type User } from '../runtime/users.ts';
import { relabelBinds } from '../security/relabel.ts';
import { releaseCategories, securityModules } from '../security/security.ts';
import { limit } from '../state/quota.ts';
import { saveContainer } from '../state/records.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { containerCgroupsPath } from './cgroup.ts';
import type { CreateRequest } from './containers.ts';
import { grantMounts } from './grants.ts';
import { type Bundle, files } from './launch.ts';
import { imageMemo, makeViews } from './layers.ts';
import { healthOf } from './monitor.ts';
import { candidates, namespacePath, namespacePeers, type SharedNamespace } from './peers.ts';
import { seccompOf } from './seccomp.ts';
import { sharedMemory } from './shared-memory.ts';
import { shimProgram } from './shim-program.ts';
import { volumesFrom } from './volumes-from.ts';

const defaultGraceMs = 10_000;

export interface Prepared {
  record: ContainerRecord;
  bundle: Bundle;
  /** Sockets that hold its ports: the caller hands them to the shim and closes them. */
  held: Fd[];
}

/**
 * Decides and writes; nothing runs yet. The record is written last: a container that has one can be started. Without one
 * the directory is what an interrupted command left, and the next one removes it by its id.
 */
export async function prepare(
  host: Host,
  networks: Networks,
  volumes: Volumes,
  request: CreateRequest,
): Promise<Prepared> {
  const { config, image, project } = request;
  const id = randomBytes(32).toString('hex');
  const resource = `services.${request.service}`;
  const siblings = request.siblings();
  const all = candidates(host, { config }, siblings);
  const peers = namespacePeers({ config, name: request.name }, all);
  const inherited = volumesFrom(config.volumes_from ?? [], request.name, all);
  const peer = peers.network;
  const health = healthOf(config.healthcheck, image.config);
  const grants = grantsOf(project, config);
  const record: ContainerRecord = {
    id,
    name: request.name,
    stack: project.name,
    service: request.service,
    number: request.number,
    isOneOff: request.isOneOff,
    config,
    image: { name: config.image ?? image.names[0] ?? image.id, id: image.id, manifestDigest: image.manifestDigest },
    ...(peer ? { networkPeer: peer.id } : {}),
    ...(grants ? { grants } : {}),
    ...peerIds(peers, inherited.peers),
    labels: { ...image.config.config?.Labels, ...config.labels, ...composeLabels(request) },
    endpoints: [],
    ports: [],
    mounts: [],
    stopSignal: stopSignalOf(config.stop_signal ?? image.config.config?.StopSignal, resource),
    stopGraceMs: config.stop_grace_period
      ? (parseDuration(config.stop_grace_period) ?? defaultGraceMs)
      : defaultGraceMs,
    hasHealthcheck: health !== undefined,
    isTty: config.tty ?? false,
    createdAt: new Date().toISOString(),
    format: recordFormat,
  };
  const directory = host.layout.containerDir(record.stack, id);
  let held: Fd[] = [];
  try {
    makeDirectories(directory, image.layers[0]);
    limitLayer(host, config, { id, directory, resource });
    const accounts = imageAccounts(host.kernel, image);
    const user = resolveUser(
      accounts,
      config.user ?? image.config.config?.User ?? '',
      config.group_add ?? [],
      resource,
    );
    if (!config.network_mode) {
      record.endpoints = networks.allocate({ ...request, id, stack: project.name }, siblings);
    }
    const publishing = publishingOf(record.endpoints, [...request.networks.values()]);
    const reservation = networks.reserve({ container: record.name, ports: config.ports ?? [], publishing });
    held = reservation.fds;
    record.ports = reservation.ports;
    record.mounts = await volumes.resolve({ ...request, user, inherited: inherited.mounts });
    record.mounts.push(...grantMounts(request, host.layout.containerRun(id)));
    makeViews(record.mounts, directory);
    const bundle = await write(host, request, record, user, peers);
    saveContainer(host.layout, record);
    return { record, bundle, held };
  } catch (error) {
    for (const fd of held) closeSync(fd);
    networks.release(id);
    releaseCategories(host.layout.labels, record.stack, id);
    for (const path of [directory, host.layout.containerRun(id)]) rmSync(path, { recursive: true, force: true });
    await volumes.release(record.mounts);
    throw error;
  }
}

/**
 * The top of the root file system is the upper directory itself: it takes after the image's. What lies above is closed:
 * a set-user-id program that a container makes must not be within reach of the host's users, nor its environment.
 */
function makeDirectories(directory: string, topLayer: string | undefined): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of ['upper', 'work', 'rootfs']) mkdirSync(join(directory, name), { mode: 0o755 });
  if (!topLayer) return;
  const { mode, uid, gid } = statSync(topLayer);
  chmodSync(join(directory, 'upper'), mode & 0o7777);
  if (uid !== 0 || gid !== 0) chownSync(join(directory, 'upper'), uid, gid);
}

/** `storage_opt.size`: what the container may write into its own layer. */
function limitLayer(
  host: Host,
  { storage_opt }: Service,
  at: { id: string; directory: string; resource: string },
): void {
  if (storage_opt?.size === undefined) return;
  const resource = `${at.resource}.storage_opt.size`;
  // Files are renamed from the one to the other, which the kernel refuses between two projects.
  const directories = ['upper', 'work'].map((name) => join(at.directory, name));
  limit(host.kernel.filesystem, directories, { name: at.id, bytes: bytes(storage_opt.size, resource), resource });
}

/** config.json, the program and the container's own files. */
async function write(
  host: Host,
  request: CreateRequest,
  record: ContainerRecord,
  user: User,
  peers: Peers,
): Promise<Bundle> {
  const { config, image } = request;
  const directory = host.layout.containerDir(record.stack, record.id);

  const paths = writeFiles(host, record, directory, peers.network);
  const shm = peers.ipc ?? (config.ipc === 'shareable' ? record : undefined);
  const devices = serviceDevices(config, `services.${request.service}`);
  const whole = toRuntimeSpec({
    id: record.id,
    stack: record.stack,
    service: request.service,
    config,
    image: image.config,
    user,
    mounts: record.mounts,
    viewsPath: join(directory, 'views'),
    rootPath: 'rootfs',
    files: paths.files,
    namespaces: namespacesOf(host, config, peers),
    ...(shm ? { peerShm: sharedMemory(host, shm.id) } : {}),
    hostHostname: hostname(),
    cgroupsPath: containerCgroupsPath(host, record),
    availableCapabilities: ownCapabilities(),
    seccomp: seccompOf,
    devices,
    findDevice: (path, resource) => {
      const { major = 0, minor = 0 } = findDevice(path, resource);
      return { major, minor };
    },
    modules: securityModules(host, { stack: record.stack, id: record.id, onWarning: request.onWarning }),
  });
  const spec = keepable(whole, request);
  relabelBinds(host.kernel.filesystem, record.mounts, spec.linux?.mountLabel);
  writeFileSync(join(directory, files.spec), writeSpec(spec));
  writeFileSync(join(directory, files.image), JSON.stringify(imageMemo(image, record.mounts)));
  const isSent = config.logging?.driver === 'journald' || config.logging?.driver === 'syslog';
  const forward = isSent
    ? await (await import('../logs/forward.ts')).forwardOf(record, spec.process?.env ?? [])
    : undefined;
  const more = { upstreams: paths.upstreams, devices, forward };
  const bundle = { spec, program: shimProgram(host, request, record, spec, more) };
  writeFileSync(join(directory, files.program), bundle.program);
  return bundle;
}

/** Limits that a container may go without are left out where the machine cannot keep them, with a word. */
function keepable(spec: RuntimeSpec, { service, onWarning }: CreateRequest): RuntimeSpec {
  const { resources, dropped } = withoutUnkeepable(spec.linux?.resources ?? {}, hierarchies());
  for (const { attribute, why } of dropped) {
    const resource = `services.${service}.${attribute}`;
    onWarning?.(new StackError('runtime.degraded', { message: `${resource} is left out: ${why}.`, resource }));
  }
  return { ...spec, linux: { ...spec.linux, resources } };
}

type Peers = ReturnType<typeof namespacePeers>;

const peerIds = ({ network: _, ...others }: Peers, volumes: Record<string, string>) => {
  const ids = Object.entries(others).map(([kind, { id }]) => [kind, id] as const);
  const all = { ...Object.fromEntries(ids), ...volumes };
  return Object.keys(all).length > 0 ? { peers: all } : {};
};

/** Whose namespaces it has, where not its own. A shared network keeps its sysctls: they are the peer's. */
function namespacesOf(host: Host, config: Service, peers: Peers): Partial<Record<NamespaceType, NamespaceChoice>> {
  const choices: Partial<Record<NamespaceType, NamespaceChoice>> = {};
  const modes = {
    network: config.network_mode,
    ipc: config.ipc,
    pid: config.pid,
    uts: config.uts,
    cgroup: config.cgroup,
  };
  for (const [type, mode] of Object.entries(modes)) if (mode === 'host') choices[type as NamespaceType] = 'host';
  for (const [kind, peer] of Object.entries(peers)) {
    choices[kind as SharedNamespace] = { path: namespacePath(host, kind as SharedNamespace, peer) };
  }
  return choices;
}

/** hosts, hostname and resolv.conf: its own, or those of the container whose network it shares. */
function writeFiles(host: Host, record: ContainerRecord, directory: string, peer: ContainerRecord | undefined) {
  if (peer) {
    const shared = host.layout.containerDir(peer.stack, peer.id);
    return { files: pathsIn(shared), upstreams: [] };
  }
  const { hosts, hostname: name, resolvConf, upstreams } = containerFiles(record, hostFiles());
  const paths = pathsIn(directory);
  writeReadable(paths.hosts, hosts);
  writeReadable(paths.hostname, name);
  writeReadable(paths.resolvConf, resolvConf);
  return { files: paths, upstreams };
}

/** For every user of the container, whatever the umask of whoever calls. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

let known: HostFiles | undefined;

/** The host's own, read once. */
function hostFiles(): HostFiles {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  known ??= { hostname: hostname(), hosts: read('/etc/hosts'), resolvConf: read('/etc/resolv.conf') };
  return known;
}

const pathsIn = (directory: string) => ({
  hosts: join(directory, 'hosts'),
  hostname: join(directory, 'hostname'),
  resolvConf: join(directory, 'resolv.conf'),
});

/** What docker compose writes on its containers, for tools that look for a stack's. */
function composeLabels({ project, service, number, isOneOff }: CreateRequest): Record<string, string> {
  return {
    'com.docker.compose.project': project.name,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': String(number),
    'com.docker.compose.oneoff': isOneOff ? 'True' : 'False',
  };
}
