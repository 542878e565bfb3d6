/** Making a container: everything it needs decided and written down, then launched up to `created`. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseDuration } from '../../planner/load/duration.ts';
import { grantsOf } from '../../planner/reconcile/grants.ts';
import { type ContainerRecord, type Endpoint, recordFormat } from '../../schemas/container.ts';
import type { Fd } from '../../schemas/kernel.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { cgroupParent, type Host } from '../host.ts';
import { linksOf } from '../network/links.ts';
import type { Networks } from '../network/network.ts';
import { publishingOf } from '../network/publications.ts';
import { ownCapabilities } from '../runtime/capabilities.ts';
import { cgroupsPath, type Hierarchies, hierarchies } from '../runtime/cgroup/cgroup.ts';
import { v1Directory } from '../runtime/cgroup/hierarchies.ts';
import { containerFiles, type HostFiles } from '../runtime/files.ts';
import { execLabels } from '../runtime/oci/labels.ts';
import { cgroupMounts } from '../runtime/program/cgroup-mounts.ts';
import { encodeShim } from '../runtime/program/program.ts';
import { compileSeccomp, defaultSeccomp } from '../runtime/seccomp/seccomp.ts';
import { stopSignalOf } from '../runtime/signals.ts';
import { type NamespaceChoice, toRuntimeSpec } from '../runtime/spec.ts';
import { writeSpec } from '../runtime/spec-json.ts';
import { imageAccounts, resolveUser, type User } from '../runtime/users.ts';
import { releaseCategories, securityModules } from '../security/security.ts';
import { saveContainer } from '../state/records.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { CreateRequest } from './containers.ts';
import { type Bundle, containerCgroup, files, networkPeer, peersOf, pidOf } from './launch.ts';
import { healthOf, logOf, monitorMembership, restartOf } from './monitor.ts';
import { probeProcess } from './process.ts';

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
  const peer = networkPeer(
    { config, name: request.name },
    peersOf(host, config, () => request.siblings),
  );
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
    const accounts = imageAccounts(host.kernel, image);
    const user = resolveUser(
      accounts,
      config.user ?? image.config.config?.User ?? '',
      config.group_add ?? [],
      resource,
    );
    if (!config.network_mode) {
      record.endpoints = networks.allocate({ ...request, id, stack: project.name }, request.siblings);
    }
    const publishing = publishingOf(record.endpoints, [...request.networks.values()]);
    const reservation = networks.reserve({ container: record.name, ports: config.ports ?? [], publishing });
    held = reservation.fds;
    record.ports = reservation.ports;
    record.mounts = await volumes.resolve(request);
    const bundle = write(host, request, record, user, peer);
    saveContainer(host.layout, record);
    return { record, bundle, held };
  } catch (error) {
    for (const fd of held) closeSync(fd);
    networks.release(id);
    releaseCategories(host.layout.labels, record.stack, id);
    rmSync(directory, { recursive: true, force: true });
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

/** config.json, the program and the container's own files. */
function write(
  host: Host,
  request: CreateRequest,
  record: ContainerRecord,
  user: User,
  peer: ContainerRecord | undefined,
): Bundle {
  const { config, image } = request;
  const directory = host.layout.containerDir(record.stack, record.id);

  const paths = writeFiles(host, record, directory, peer);
  const spec = toRuntimeSpec({
    id: record.id,
    stack: record.stack,
    service: request.service,
    config,
    image: image.config,
    user,
    mounts: record.mounts,
    rootPath: 'rootfs',
    files: paths.files,
    namespaces: namespacesOf(host, config.network_mode, peer),
    hostHostname: hostname(),
    cgroupsPath: cgroupsPath(record.stack, record.id, cgroupParent(host)),
    availableCapabilities: ownCapabilities(),
    seccomp: defaultSeccomp,
    modules: securityModules(host, { stack: record.stack, id: record.id, onWarning: request.onWarning }),
  });
  writeFileSync(join(directory, files.spec), writeSpec(spec));
  writeFileSync(join(directory, files.image), JSON.stringify({ id: image.id, layers: image.layers }));
  const bundle = { spec, program: program(host, request, record, spec, paths.upstreams) };
  writeFileSync(join(directory, files.program), bundle.program);
  return bundle;
}

/** A shared network keeps its sysctls: they are the peer's. */
function namespacesOf(
  host: Host,
  mode: string | undefined,
  peer: ContainerRecord | undefined,
): { network?: NamespaceChoice } {
  if (peer) return { network: { path: `/proc/${pidOf(host, peer)}/ns/net` } };
  return mode === 'host' ? { network: 'host' } : {};
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

/** The file whose `oom_kill` line counts. */
function oomFile(path: string, all: Hierarchies): string {
  const v1 = v1Directory(all, 'memory', path);
  return v1 ? `${v1}/memory.oom_control` : all.v2 ? `${all.v2.path}${path}/memory.events` : '';
}

function program(
  host: Host,
  request: CreateRequest,
  record: ContainerRecord,
  spec: RuntimeSpec,
  upstreams: string[],
): Uint8Array {
  const { config, image } = request;
  const directory = host.layout.containerDir(record.stack, record.id);
  const all = hierarchies();
  const { path, plan } = containerCgroup(spec);
  const membership = { tasks: plan.tasks, unified: plan.unified ?? undefined };
  const seccomp = spec.linux?.seccomp ? compileSeccomp(spec.linux.seccomp) : undefined;
  const health = healthOf(config.healthcheck, image.config);
  const network = config.network_mode === 'host' ? undefined : 0;
  const isInternal = (endpoint: Endpoint) => request.networks.get(endpoint.network)?.isInternal ?? false;
  const labels = execLabels(spec.process!);
  const networkNames = record.endpoints.map(({ networkName }) => networkName);
  const links = linksOf(host.layout, request.service, config, networkNames);
  return encodeShim(
    {
      runDir: host.layout.containerRun(record.id),
      logDir: directory,
      log: logOf(config.logging),
      restart: request.isOneOff ? { policy: 'no', limit: 0, delayMs: 100 } : restartOf(config),
      stopSignal: record.stopSignal,
      stopGraceMs: record.stopGraceMs,
      hasStdin: config.stdin_open ?? false,
      hasTerminal: record.isTty,
      network,
      dns:
        record.endpoints.length > 0
          ? { upstreams, forwards: !record.endpoints.every((endpoint) => isInternal(endpoint)), links }
          : undefined,
      endpoints: record.endpoints.map(({ networkName, slot }) => ({
        table: host.layout.networkNames(networkName),
        slot,
      })),
      monitor: monitorMembership(all, cgroupParent(host)),
      oomFile: oomFile(path, all),
      health: health && {
        ...health,
        probe: {
          process: probeProcess(spec, health.test),
          membership,
          namespaces: (spec.linux?.namespaces ?? []).map((one) => one.type),
          seccomp,
          labels,
        },
      },
    },
    {
      spec,
      root: {
        layers: image.layers,
        upper: join(directory, 'upper'),
        work: join(directory, 'work'),
        target: join(directory, 'rootfs'),
      },
      membership,
      cgroups: cgroupMounts(all, path),
      network,
      seccomp,
      hasInit: config.init ?? false,
      labels,
    },
  );
}

/** What docker compose writes on its containers, for tools that look for a stack's. */
function composeLabels({ project, service, number, isOneOff }: CreateRequest): Record<string, string> {
  return {
    'com.docker.compose.project': project.name,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': String(number),
    'com.docker.compose.oneoff': isOneOff ? 'True' : 'False',
  };
}
