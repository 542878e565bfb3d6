/** RUN: a process in a tree, confined as every container; what it changed becomes a layer. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { RunOperation } from '../../schemas/build.ts';
import { StackError } from '../../schemas/errors.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';
import { cgroupParent, type Host } from '../host.ts';
import type { Store } from '../images/store.ts';
import { ownCapabilities } from '../runtime/capabilities.ts';
import {
  cgroupPlan,
  cgroupsPath,
  hierarchies,
  killCgroup,
  makeCgroups,
  removeCgroups,
} from '../runtime/cgroup/cgroup.ts';
import { launchProcess } from '../runtime/launcher.ts';
import { parentsFirst } from '../runtime/mounts.ts';
import { execLabels } from '../runtime/oci/labels.ts';
import { cgroupMounts } from '../runtime/program/cgroup-mounts.ts';
import { containerSteps } from '../runtime/program/process.ts';
import { compileSeccomp, defaultSeccomp } from '../runtime/seccomp/seccomp.ts';
import { toRuntimeSpec } from '../runtime/spec.ts';
import { defaultPath } from '../runtime/spec-process.ts';
import { imageAccounts, resolveUser } from '../runtime/users.ts';
import { securityModules } from '../security/security.ts';
import { checkRunnable } from './foreign.ts';
import type { PreparedMounts } from './mounts.ts';
import type { NewLayer } from './new-layer.ts';
import { stepResolvConf } from './resolv-conf.ts';
import type { BuildSession, StepNetwork } from './session.ts';
import { missingPlaces, removePlaces } from './stubs.ts';
import { chainOf, directoriesOf, openView, type Tree } from './tree.ts';

export interface RunRequest {
  host: Host;
  store: Store;
  session: BuildSession;
  base: Tree;
  layer: NewLayer;
  operation: RunOperation;
  mounts: PreparedMounts;
  /** `NAME=value` beyond the operation's own: proxies, secrets. */
  environment: string[];
  /** Bytes it may take; no limit where absent. */
  memory: number | undefined;
  signal: AbortSignal;
  /** What it prints, both streams in their order. */
  onOutput(bytes: Buffer): void;
}

const hostName = 'buildkitsandbox';

/** Answers the exit code; 128 + signal where one ended it. @throws StackError where it could not be run, or was interrupted */
export async function runStep(request: RunRequest): Promise<number> {
  const { host, session, operation, layer, base, store } = request;
  checkRunnable(operation.platform);
  const id = randomBytes(32).toString('hex');
  const isHostNetwork = operation.network === 'host';
  const network = isHostNetwork ? undefined : await session.join(id, operation.network === 'default');
  try {
    const spec = specOf(request, id, network);
    using view = openView(store, host.kernel.filesystem, base);
    const targets = (spec.mounts ?? []).map(({ destination }) => destination);
    const places = missingPlaces(host.kernel.filesystem, view?.root, [...targets, '/dev/console', '/dev/ptmx']);
    const code = await execute(request, spec, network);
    removePlaces(host.kernel.filesystem, view?.root, layer.upper, places);
    return code;
  } finally {
    network?.leave();
  }
}

function specOf(
  { host, session, operation, base, store, mounts, environment, layer, memory }: RunRequest,
  id: string,
  network: StepNetwork | undefined,
): RuntimeSpec {
  const resource = 'the build step';
  const layers = directoriesOf(store, base);
  const accounts = imageAccounts(host.kernel, { id: chainOf(base) || 'scratch', layers });
  const config: Service = {
    command: operation.args,
    entrypoint: [],
    hostname: hostName,
    working_dir: operation.cwd,
    privileged: operation.security === 'insecure',
    ...(operation.shmSize === undefined ? {} : { shm_size: String(operation.shmSize) }),
    ulimits: operation.ulimits,
    ...(memory === undefined ? {} : { mem_limit: String(memory) }),
  } as Service;
  const spec = toRuntimeSpec({
    id,
    stack: session.name,
    service: 'build',
    config,
    image: { architecture: operation.platform.architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
    user: resolveUser(accounts, operation.user ?? '', [], resource),
    mounts: [],
    rootPath: layer.make('root'),
    files: writeFiles(session.run, id, operation, network),
    namespaces: operation.network === 'host' ? { network: 'host' } : {},
    hostHostname: hostname(),
    cgroupsPath: cgroupsPath(session.name, id, cgroupParent(host)),
    availableCapabilities: ownCapabilities(),
    seccomp: defaultSeccomp,
    modules: securityModules(host, { stack: session.name, id }),
  });
  const home = spec.process!.env!.find((entry) => entry.startsWith('HOME='))!;
  spec.process!.env = merged([`PATH=${defaultPath}`, home, ...operation.env, ...environment]);
  // An image's /etc/hostname is a file like others to a step, which may write it for the image.
  const own = (spec.mounts ?? []).filter(({ destination }) => destination !== '/etc/hostname');
  spec.mounts = [...own, ...parentsFirst(mounts.mounts)];
  return spec;
}

/** Later entries win, in the place of the first. */
function merged(entries: string[]): string[] {
  const found = new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry]));
  return [...found.values()];
}

function writeFiles(run: string, id: string, operation: RunOperation, network: StepNetwork | undefined) {
  const folder = join(run, id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o644);
    return path;
  };
  const extra = operation.hosts.map((entry) => {
    const at = entry.indexOf('=');
    return `${entry.slice(at + 1)}\t${entry.slice(0, at)}\n`;
  });
  const own = (network?.addresses ?? []).map((address) => `${address}\t${hostName}\n`);
  const local = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
  return {
    hosts: write('hosts', [local, ...own, ...extra].join('')),
    hostname: write('hostname', `${hostName}\n`),
    resolvConf: write('resolv.conf', operation.network === 'none' ? '' : stepResolvConf(operation.network === 'host')),
  };
}

async function execute(request: RunRequest, spec: RuntimeSpec, network: StepNetwork | undefined): Promise<number> {
  const { host, layer, mounts, signal, onOutput } = request;
  const verbs = host.kernel.process;
  const path = spec.linux!.cgroupsPath!;
  const all = hierarchies();
  const plan = cgroupPlan(spec.linux?.resources ?? {}, all, path);
  const steps = containerSteps({
    spec,
    root: { layers: layer.lower, upper: layer.upper, work: layer.work, target: layer.make('root'), isVolatile: true },
    views: mounts.views,
    membership: { tasks: plan.tasks, unified: plan.unified ?? undefined },
    cgroups: cgroupMounts(all, path),
    network: network ? 0 : undefined,
    seccomp: spec.linux?.seccomp ? compileSeccomp(spec.linux.seccomp) : undefined,
    hasInit: false,
    looksUp: true,
    labels: execLabels(spec.process!),
  });
  const [read, write] = verbs.pipe();
  const output = new Socket({ fd: read, readable: true, writable: false });
  output.on('data', onOutput);
  const drained = new Promise<void>((resolve) => output.once('close', resolve));
  output.on('error', () => {});
  let isOpen = true;
  const closeWrite = () => {
    if (isOpen) closeSync(write);
    isOpen = false;
  };
  const interrupt = () => killCgroup(path);
  try {
    makeCgroups(plan, verbs);
    signal.throwIfAborted();
    const fds = network ? [network.namespace, write] : [write];
    const at = fds.length - 1;
    const launched = await launchProcess(verbs, { steps, fds, stdio: [-1, at, at], waits: true, endsWithCaller: true });
    closeWrite();
    signal.addEventListener('abort', interrupt, { once: true });
    if (signal.aborted) interrupt();
    try {
      return await follow(launched, signal);
    } finally {
      launched.close();
    }
  } finally {
    signal.removeEventListener('abort', interrupt);
    closeWrite();
    // What it left running ends with it, and lets go of the pipe.
    await removeCgroups(path);
    await drained;
  }
}

async function follow(launched: Awaited<ReturnType<typeof launchProcess>>, signal: AbortSignal): Promise<number> {
  for (;;) {
    const event = await launched.next();
    if (signal.aborted) throw signal.reason;
    if (event?.kind === 'created') launched.proceed();
    else if (event?.kind === 'exit') return event.code;
    else if (event?.kind === 'failed') {
      const { step, errno, subject } = event.failure;
      if (step === 'exec' || step === 'lookup') return errno === 'ENOENT' || errno === 'ENOTDIR' ? 127 : 126;
      throw new StackError('runtime.step', {
        message: `The build step could not be set up: ${step} ${subject}: ${errno}.`,
        operation: step,
        errno,
      });
    } else if (event === null) {
      throw new StackError('runtime.exited', {
        message: 'The build step ended before it was set up.',
        hint: 'Was it killed, by a memory limit perhaps? The kernel log (dmesg) tells.',
      });
    }
  }
}
