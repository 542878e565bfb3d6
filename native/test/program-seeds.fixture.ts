/** Programs of every kind as the real encoder writes them, between them with every step there is. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settle } from '../../engine/images/settle.ts';
import { type LaunchRequest, launchProcess } from '../../engine/runtime/launcher.ts';
import { sound } from '../../engine/runtime/oci/config.fixture.ts';
import { code, encodeProgram, encodeSteps, type Step } from '../../engine/runtime/program/encoder.ts';
import {
  type ContainerProcess,
  containerSteps,
  type ExecProcess,
  execSteps,
} from '../../engine/runtime/program/process.ts';
import { encodeExec, encodeShim, type MonitorSettings, shimSteps } from '../../engine/runtime/program/program.ts';
import { compileSeccomp, defaultSeccomp } from '../../engine/runtime/seccomp/seccomp.ts';
import type { ProcessVerbs } from '../../schemas/kernel.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';

const spec = sound as RuntimeSpec;
const capabilities = ['CAP_CHOWN', 'CAP_KILL'];
const filter = compileSeccomp(defaultSeccomp(capabilities));
const membership = { tasks: ['/cgroup/memory/tasks', '/cgroup/pids/tasks'], unified: '/cgroup/unified/a' };
const state = ['{"pid":', ',"id":"a"}'] as const;
const hook = { path: '/bin/hook', args: ['hook', 'a'], env: ['A=b'], cwd: '/b', timeoutMs: 100, state };

const container = (over: Partial<ContainerProcess> = {}): ContainerProcess => ({
  spec,
  root: { directory: '/bundle/rootfs', holder: '/bundle' },
  membership,
  cgroups: [{ directory: 'cpu,cpuacct', type: 'cgroup', data: 'cpu,cpuacct', source: '/cgroup/cpu/a' }],
  network: undefined,
  seccomp: { ...filter, listener: { path: '/run/agent.sock', state: ['{"pid":', ',"state":{"pid":', '}}'] } },
  hasInit: false,
  hooks: { createContainer: [hook], startContainer: [hook] },
  isSynchronised: true,
  looksUp: true,
  labels: [{ file: 'attr/exec', text: 'label' }],
  keyring: '_ses.a',
  files: [0, 1],
  ...over,
});

/** As an image's container has it: an overlay, the shim's network, no user namespace, an init. */
const plain: RuntimeSpec = {
  ...spec,
  process: { ...spec.process!, terminal: false, noNewPrivileges: false },
  mounts: [
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=1m', 'rshared'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
    { destination: '/srv', type: 'bind', source: '/srv', options: ['bind', 'ro'] },
    { destination: '/srv', options: ['remount', 'bind', 'nosuid'] },
    { destination: '/tmp', options: ['remount', 'size=2m'] },
  ],
  linux: {
    ...spec.linux,
    namespaces: [
      { type: 'mount' },
      { type: 'pid' },
      { type: 'uts', path: '/proc/1/ns/uts' },
      { type: 'network' },
      { type: 'cgroup' },
    ],
  },
};

const beneath = { '/srv': { root: '/volume', path: 'a/b' } };
const overlay = { layers: ['/l/b', '/l/a'], upper: '/u', work: '/w', target: '/r' };
const ofImage = container({ spec: plain, root: overlay, network: 0, hasInit: true, mayPivot: false, beneath });
const ofHost = container({ spec: { ...plain, linux: { namespaces: [] } }, seccomp: undefined });

const exec: ExecProcess = {
  process: { ...spec.process!, terminal: true },
  membership,
  namespaces: ['mount', 'pid', 'network'],
  seccomp: filter,
  keyring: '_ses.a',
  files: [2],
};

const settings: MonitorSettings = {
  runDir: '/run/stack/a',
  logDir: '/var/lib/stack/a',
  log: { size: 1 << 20, files: 3 },
  restart: { policy: 'on-failure', limit: 5, delayMs: 100, longestMs: 60_000, windowMs: 5000 },
  forward: {
    type: 'datagram',
    address: new Uint8Array([1, 0, 0x2f, 0x78, 0]),
    time: 'rfc3164',
    zone: -3600,
    stdout: Buffer.from('<30>'),
    stderr: Buffer.from('<27>'),
    middle: Buffer.from(' web: '),
    tail: Buffer.from('\n'),
  },
  stopSignal: 15,
  stopGraceMs: 10_000,
  hasStdin: true,
  hasTerminal: false,
  network: 0,
  dns: { upstreams: ['10.0.0.1', 'fd00::1'], forwards: true, links: [{ alias: 'db', target: 'postgres' }] },
  endpoints: [
    { table: '/run/stack/a.names', slot: 1 },
    { table: '/run/stack/b.names', slot: 65_535 },
  ],
  monitor: membership,
  oomFile: '/cgroup/memory/a/memory.oom_control',
  health: { intervalMs: 1000, timeoutMs: 500, startPeriodMs: 0, startIntervalMs: 100, retries: 3, probe: exec },
};

/** The program that `start` hands to the shim. */
async function handed(start: (verbs: ProcessVerbs) => Promise<unknown>): Promise<Uint8Array> {
  let program: Uint8Array | undefined;
  const spawnShim: ProcessVerbs['spawnShim'] = async (shim) => {
    program = shim.program;
    return -1;
  };
  await start({ spawnShim } as ProcessVerbs);
  return program!;
}

export const encodeLaunch = (request: LaunchRequest): Promise<Uint8Array> =>
  handed((verbs) => launchProcess(verbs, request));

const marks = [{ directory: '/var/lib/stack/layers/a', from: 'fresh-a', to: 'done' }];

const launch = { fds: [], stdio: [0, 1, 2], waits: true } satisfies Omit<LaunchRequest, 'steps'>;

/** By name. `rest` holds the steps that nothing above makes. */
export async function programSeeds(): Promise<Map<string, Uint8Array>> {
  return new Map([
    ['shim', encodeShim(settings, ofImage)],
    ['shim-user-namespace', encodeShim({ ...settings, health: undefined, dns: undefined }, container())],
    ['launch', await encodeLaunch({ ...launch, steps: containerSteps(container()), startDirectory: '/run/a' })],
    ['launch-host', await encodeLaunch({ ...launch, steps: containerSteps(ofHost) })],
    ['launch-exec', await encodeLaunch({ ...launch, steps: execSteps(exec), container: 3 })],
    ['exec', encodeExec(exec)],
    ['settle', await handed((verbs) => settle(verbs, '/var/lib/stack/images', marks))],
    ['rest', encodeProgram([...shimSteps(settings, ofImage).slice(0, -1), ['hold'], ['process', encodeSteps(rest)]])],
  ]);
}

const rest: Step[] = [['moveRoot'], ['chroot'], ['pivot']];

/** Codes of all steps in the programs, those inside `process` and `health` too. */
export function codesIn(programs: Iterable<Uint8Array>): Set<number> {
  const codes = new Set<number>();
  const read = (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      const step = bytes.readUInt16LE(at);
      const body = bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at + 4));
      codes.add(step);
      if (step === code.process) read(body.subarray(4));
      if (step === code.health) read(body.subarray(4 * 8 + 4 + 4));
      at += 8 + body.length;
    }
  };
  for (const program of programs) read(Buffer.from(program).subarray(8));
  return codes;
}

/** Writes them to files in `directory`, and names these. */
export async function writeSeeds(directory: string): Promise<string[]> {
  mkdirSync(directory, { recursive: true });
  return [...(await programSeeds())].map(([name, program]) => {
    const file = join(directory, name);
    writeFileSync(file, program);
    return file;
  });
}
