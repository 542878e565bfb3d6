/** The program a container's shim is spawned with. */
import { join } from 'node:path';
import type { ContainerRecord, Endpoint } from '../../schemas/container.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Grants } from '../devices/devices.ts';
import { cgroupParent, type Host } from '../host.ts';
import { linksOf } from '../network/links.ts';
import { type Hierarchies, hierarchies } from '../runtime/cgroup/cgroup.ts';
import { v1Directory } from '../runtime/cgroup/hierarchies.ts';
import { imageViews, subpaths } from '../runtime/mounts.ts';
import { execLabels } from '../runtime/oci/labels.ts';
import { cgroupMounts } from '../runtime/program/cgroup-mounts.ts';
import { encodeShim, type ForwardSettings } from '../runtime/program/program.ts';
import { compileSeccomp } from '../runtime/seccomp/seccomp.ts';
import type { CreateRequest } from './containers.ts';
import { deviceHooks } from './device-hooks.ts';
import { containerCgroup } from './launch.ts';
import { healthOf, logOf, monitorMembership, restartOf } from './monitor.ts';
import { handedIndexes } from './peers.ts';
import { probeProcess } from './process.ts';

/** The file whose `oom_kill` line counts. */
function oomFile(path: string, all: Hierarchies): string {
  const v1 = v1Directory(all, 'memory', path);
  return v1 ? `${v1}/memory.oom_control` : all.v2 ? `${all.v2.path}${path}/memory.events` : '';
}

/** What the container's shim is told: what to watch, and the steps of its processes. */
export function shimProgram(
  host: Host,
  request: CreateRequest,
  record: ContainerRecord,
  spec: RuntimeSpec,
  { upstreams, devices, forward }: { upstreams: string[]; devices: Grants; forward: ForwardSettings | undefined },
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
      forward,
      restart: restartOf(request.isOneOff ? {} : config),
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
      beneath: subpaths(record.mounts),
      views: imageViews(record.mounts, join(directory, 'views')),
      membership,
      cgroups: cgroupMounts(all, path),
      network,
      handed: handedIndexes(config),
      ...deviceHooks(devices, spec, record, directory),
      seccomp,
      hasInit: config.init ?? false,
      labels,
    },
  );
}
