/** A container of busybox right on the shim, without networks, images or cgroups: what the tests of the shim need. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKernel } from '../../native/index.ts';
import type { Process, RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { capabilitySets } from './capabilities.ts';
import { Connection, frame, readFailure } from './control.ts';
import { containerMounts } from './mounts.ts';
import { encodeShim, type HealthSettings, type MonitorSettings } from './program/program.ts';
import { compileSeccomp, defaultSeccomp } from './seccomp/seccomp.ts';
import { maskedPaths, readonlyPaths } from './spec.ts';
import { isShimAlive, readStatus } from './status.ts';

const busybox = '/bin/busybox';
/** Why these tests cannot run here; empty where they can. */
export const obstacle =
  process.getuid?.() !== 0 ? 'needs root' : existsSync(busybox) ? '' : 'needs busybox-static at /bin/busybox';

const capabilities = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID'];
export const namespaces = ['mount', 'uts', 'pid', 'ipc', 'network'];

export interface Options {
  process?: Partial<Process>;
  settings?: Partial<MonitorSettings>;
  health?: Omit<HealthSettings, 'probe'> & { test: string[] };
  hasInit?: boolean;
  spec?: Partial<RuntimeSpec>;
}

export class Box {
  readonly kernel = loadKernel();
  readonly directory = mkdtempSync(join(tmpdir(), 'stack-shim-'));
  readonly run = join(this.directory, 'run');
  connection: Connection | undefined;

  constructor() {
    for (const name of ['run', 'upper', 'work', 'rootfs']) mkdirSync(join(this.directory, name));
    for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp']) {
      mkdirSync(join(this.directory, 'image', name), { recursive: true });
    }
    copyFileSync(busybox, join(this.directory, 'image/bin/busybox'));
    execFileSync('chroot', [join(this.directory, 'image'), '/bin/busybox', '--install', '-s', '/bin']);
    for (const name of ['hosts', 'hostname', 'resolv.conf']) writeFileSync(join(this.directory, name), '');
  }

  /** Spawns the shim and waits until the process waits for start. A failure is answered, not thrown. */
  async create(args: string[], options: Options = {}) {
    const file = (name: string) => join(this.directory, name);
    const process: Process = {
      args,
      cwd: '/',
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0, additionalGids: [] },
      capabilities: capabilitySets(capabilities, 0),
      ...options.process,
    };
    const seccomp = compileSeccomp(defaultSeccomp(capabilities));
    const mounts = containerMounts({
      mounts: [],
      shmSize: 65_536,
      isReadOnlyRoot: false,
      isPrivileged: false,
      files: { hosts: file('hosts'), hostname: file('hostname'), resolvConf: file('resolv.conf') },
    });
    const spec: RuntimeSpec = {
      ociVersion: '1.2.0',
      process,
      hostname: 'box',
      mounts: mounts.filter(({ type }) => type !== 'cgroup'),
      linux: {
        namespaces: namespaces.map((type) => ({ type }) as { type: 'pid' }),
        maskedPaths,
        readonlyPaths,
      },
      ...options.spec,
    };
    const { test, ...health } = options.health ?? { test: [] };
    const probe = {
      process: { ...process, args: test, terminal: false },
      membership: { tasks: [] },
      namespaces,
      seccomp,
    };
    const settings: MonitorSettings = {
      runDir: this.run,
      logDir: this.directory,
      log: { size: 1 << 20, files: 2 },
      restart: { policy: 'no', limit: 0, delayMs: 1, longestMs: 60_000, windowMs: 0 },
      stopSignal: 15,
      stopGraceMs: 200,
      hasStdin: false,
      hasTerminal: process.terminal ?? false,
      network: 0,
      dns: undefined,
      endpoints: [],
      monitor: { tasks: [] },
      oomFile: '',
      health: options.health && ({ ...health, probe } as HealthSettings),
      ...options.settings,
    };
    const program = encodeShim(settings, {
      spec,
      root: { layers: [file('image')], upper: file('upper'), work: file('work'), target: file('rootfs') },
      membership: { tasks: [] },
      cgroups: [],
      network: 0,
      seccomp,
      hasInit: options.hasInit ?? false,
    });
    const network = await this.kernel.network.createNamespace();
    const socket = await this.kernel.process.spawnShim({ program, fds: [network] });
    closeSync(network);
    this.connection = new Connection(socket, 'box');
    return outcome(await this.connection.next());
  }

  start = async () => outcome(await this.connection!.ask(frame.start));

  /** Resolves when the shim is gone. */
  ended(): Promise<void> {
    return new Promise((resolve) => this.connection!.listen(() => {}, resolve));
  }

  /** Creates, starts, waits for the end. */
  async complete(args: string[], options: Options = {}) {
    const created = await this.create(args, options);
    const started = created ?? (await this.start());
    if (!started) await this.ended();
    return { failure: started, status: this.status(), log: this.log() };
  }

  status = () => readStatus(this.kernel, this.run);
  isAlive = () => isShimAlive(this.kernel, this.run);

  /** Text of the log, parts joined, without time and stream. */
  log(): string {
    const lines = readFileSync(join(this.directory, 'log'), 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => line.split(' ').slice(3).join(' ') + (line.split(' ')[2] === 'F' ? '\n' : '')).join('');
  }

  [Symbol.dispose](): void {
    const { shimPid } = this.status();
    if (this.isAlive() && shimPid > 0) process.kill(shimPid, 'SIGKILL');
    this.connection?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const outcome = ({ type, body }: { type: number; body: Buffer }) =>
  type === frame.error ? readFailure(body) : undefined;
