/** Making a container: everything it needs decided and written down, then launched up to `created`. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ContainerRecord, Endpoint } from '../../schemas/container.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Host } from '../host.ts';
import type { Networks } from '../network/network.ts';
import { boundingSet } from '../runtime/capabilities.ts';
import { cgroupsPath, hierarchies, oomFile } from '../runtime/cgroup/cgroup.ts';
import { containerFiles } from '../runtime/files.ts';
import { cgroupMounts } from '../runtime/program/cgroup-mounts.ts';
import { encodeShim } from '../runtime/program/program.ts';
import { compileSeccomp, defaultSeccomp } from '../runtime/seccomp/seccomp.ts';
import { stopSignalOf } from '../runtime/signals.ts';
import { type NamespaceChoice, toRuntimeSpec } from '../runtime/spec.ts';
import { resolveUser } from '../runtime/users.ts';
import { saveContainer } from '../state/records.ts';
import type { Volumes } from '../volumes/volumes.ts';
import { parseDuration } from '../../planner/load/duration.ts';
import type { CreateRequest } from './containers.ts';
import { containerCgroup, files, networkPeer } from './launch.ts';
import { healthOf, logOf, monitorMembership, restartOf } from './monitor.ts';
import { probeProcess } from './process.ts';

const defaultGraceMs = 10_000;

/** Decides and writes; nothing runs yet. The record is written first: whatever follows can be found by it. */
export async function prepare(
  host: Host,
  networks: Networks,
  volumes: Volumes,
  request: CreateRequest,
): Promise<ContainerRecord> {
  const { config, image, project } = request;
  const id = randomBytes(32).toString('hex');
  const resource = `services.${request.service}`;
  const peer = networkPeer({ config, name: request.name }, request.siblings);
  const health = healthOf(config.healthcheck, image.config);
  const record: ContainerRecord = {
    id,
    name: request.name,
    stack: project.name,
    service: request.service,
    number: request.number,
    isOneOff: request.isOneOff,
    config,
    image: { name: config.image ?? image.names[0] ?? image.id, id: image.id, manifestDigest: image.manifestDigest },
    labels: { ...image.config.config?.Labels, ...config.labels },
    endpoints: [],
    ports: [],
    mounts: [],
    stopSignal: stopSignalOf(config.stop_signal ?? image.config.config?.StopSignal, resource),
    stopGraceMs: config.stop_grace_period ? (parseDuration(config.stop_grace_period) ?? defaultGraceMs) : defaultGraceMs,
    hasHealthcheck: health !== undefined,
    isTty: config.tty ?? false,
    createdAt: new Date().toISOString(),
  };
  const directory = host.layout.containerDir(record.stack, id);
  for (const name of ['upper', 'work', 'rootfs']) mkdirSync(join(directory, name), { recursive: true, mode: 0o755 });
  const user = await resolveUser(host, {
    id: image.id,
    layers: image.layers,
    user: config.user ?? image.config.config?.User ?? '',
    groupAdd: config.group_add ?? [],
    resource,
  });
  if (!config.network_mode) record.endpoints = networks.allocate({ ...request, id }, request.siblings);
  record.mounts = await volumes.resolveMounts({ ...request, id });
  record.ports = networks.choosePorts(record, request.siblings);
  saveContainer(host.layout, record);

  const paths = writeFiles(host, record, directory, peer);
  const spec = toRuntimeSpec({
    id,
    stack: record.stack,
    service: request.service,
    config,
    image: image.config,
    user,
    mounts: record.mounts,
    rootPath: 'rootfs',
    files: paths.files,
    namespaces: namespacesOf(config.network_mode),
    hostHostname: hostname(),
    cgroupsPath: cgroupsPath(record.stack, id, host.settings.cgroupParent),
    availableCapabilities: boundingSet(readFileSync('/proc/self/status', 'utf8')),
    seccomp: defaultSeccomp,
  });
  writeFileSync(join(directory, files.spec), JSON.stringify(spec));
  writeFileSync(join(directory, 'image.json'), JSON.stringify({ id: image.id, layers: image.layers }));
  writeFileSync(join(directory, files.program), program(host, request, record, spec, paths.upstreams));
  return record;
}

const namespacesOf = (mode: string | undefined): { network?: NamespaceChoice } =>
  mode === 'host' ? { network: 'host' } : {};

/** hosts, hostname and resolv.conf: its own, or those of the container whose network it shares. */
function writeFiles(host: Host, record: ContainerRecord, directory: string, peer: ContainerRecord | undefined) {
  if (peer) {
    const shared = host.layout.containerDir(peer.stack, peer.id);
    return { files: pathsIn(shared), upstreams: [] };
  }
  const { hosts, hostname: name, resolvConf, upstreams } = containerFiles(record, hostname());
  const paths = pathsIn(directory);
  writeFileSync(paths.hosts, hosts);
  writeFileSync(paths.hostname, name);
  writeFileSync(paths.resolvConf, resolvConf);
  return { files: paths, upstreams };
}

const pathsIn = (directory: string) => ({
  hosts: join(directory, 'hosts'),
  hostname: join(directory, 'hostname'),
  resolvConf: join(directory, 'resolv.conf'),
});

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
          ? { upstreams, forwards: !record.endpoints.every((endpoint) => isInternal(endpoint)) }
          : undefined,
      endpoints: record.endpoints.map(({ networkName, slot }) => ({
        table: host.layout.networkNames(networkName),
        slot,
      })),
      monitor: monitorMembership(all),
      cgroup: { kill: plan.unified ? [`${plan.unified}/cgroup.kill`] : [], oomFile: oomFile(path, all) },
      health: health && {
        ...health,
        probe: {
          process: probeProcess(spec, health.test),
          membership,
          namespaces: (spec.linux?.namespaces ?? []).map((one) => one.type),
          seccomp,
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
      cgroups: cgroupMounts(all),
      network,
      seccomp,
      hasInit: config.init ?? false,
    },
  );
}
