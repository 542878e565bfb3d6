/**
 * Hands broken programs to the real shim, one after the other, and prints what came of each as JSON. To be run in mount,
 * pid, network and UTS namespaces of its own (hostile-programs.test.ts): the steps before the broken one are carried out.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Frame, frame, readFailure } from '../../engine/runtime/control.ts';
import { Launched } from '../../engine/runtime/launcher.ts';
import { code, encodeProgram, encodeSteps, type Step } from '../../engine/runtime/program/encoder.ts';
import { containerSteps } from '../../engine/runtime/program/process.ts';
import { encodeExec } from '../../engine/runtime/program/program.ts';
import { Box, namespaces } from '../../engine/runtime/shim.fixture.ts';
import type { RuntimeSpec } from '../../schemas/oci-runtime.ts';
import { type Broken, brokenPrograms } from './broken-programs.fixture.ts';

/** `outcome`: how it ended, and what the shim said of it. */
export interface Told {
  what: string;
  outcome: string;
}

export interface Remains {
  mounts: number;
  processes: number;
  descriptors: number;
}

using box = new Box();
const { kernel, directory } = box;
const none = 0xffff_ffff;

const spec: RuntimeSpec = {
  ociVersion: '1.2.0',
  hostname: 'box',
  process: {
    args: ['true'],
    cwd: '/',
    env: ['PATH=/bin'],
    user: { uid: 1, gid: 1, additionalGids: [2] },
    capabilities: { bounding: ['CAP_KILL'], effective: [], permitted: [] },
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 100 }],
    oomScoreAdj: 100,
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755', 'size=64k'] },
    { destination: '/tmp', type: 'bind', source: join(directory, 'upper'), options: ['bind', 'ro'] },
  ],
  linux: {
    namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'uts' }, { type: 'ipc' }, { type: 'network' }],
    maskedPaths: ['/proc/kcore'],
    readonlyPaths: ['/proc/sys'],
  },
};
const steps = containerSteps({
  spec,
  root: { directory: join(directory, 'image'), holder: '/' },
  membership: { tasks: [] },
  cgroups: [],
  network: undefined,
  seccomp: undefined,
  hasInit: true,
});

const launchProgram = (inner: readonly Step[], ...indexes: [container: number, stdio: number]): Uint8Array =>
  encodeProgram([
    ['launch', 1, '', indexes[0], indexes[1], none, none],
    ['process', encodeSteps(inner)],
  ]);

/** Everything it says until the shim is gone; the order to start is given where it asks for it. */
async function launch(program: Uint8Array): Promise<string> {
  let launched: Launched;
  try {
    launched = new Launched(kernel.process, await kernel.process.spawnShim({ program, fds: [] }));
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
  const said: string[] = [];
  for (let event = await launched.next(); event; event = await launched.next()) {
    if (event.kind === 'created') launched.proceed();
    if (event.kind === 'failed') said.push(`failed: ${event.failure.step} ${event.failure.errno}`);
    if (event.kind === 'exit') said.push(`exit ${event.code}`);
  }
  launched.close();
  return said.join(', ') || 'silence';
}

/** Frames that came before anybody waited for them. */
const early: Frame[] = [];

/** What the monitor of a running container answers; its connection is one for all. */
async function exec(program: Uint8Array): Promise<string> {
  let { type, body } = await box.connection!.ask(frame.exec, program);
  // The end of a short process may have come along with its start.
  if (type === frame.started) ({ type, body } = early.shift() ?? (await box.connection!.next()));
  if (type === frame.error) return `failed: ${readFailure(body).step}`;
  return type === frame.exit ? `exit ${body.readUInt32LE()}` : `frame ${type}`;
}

function remains(): Remains {
  const isProcess = (name: string) => /^\d+$/.test(name);
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    processes: readdirSync('/proc').filter(isProcess).length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
}

/** What remains once no more than these processes are left: the last shim may still be on its way out. Five seconds at most. */
async function settled(processes: number): Promise<Remains> {
  for (let tries = 0; tries < 250 && remains().processes > processes; tries++) await delay(20);
  return remains();
}

/** Well-formed, with descriptors it was not given, or steps in an order no container has. */
const wrong: Broken[] = [
  { what: 'no steps', bytes: launchProgram([], none, none) },
  { what: 'a root that is not there', bytes: launchProgram([steps[0]!, ['pivot'], ...steps.slice(1)], none, none) },
  { what: 'no such namespace', bytes: launchProgram([steps[0]!, ['setns', 7, 0], ...steps.slice(1)], none, none) },
  { what: 'no such files', bytes: launchProgram([steps[0]!, ['files', [9]], ...steps.slice(1)], none, none) },
  { what: 'no such container', bytes: launchProgram([steps[0]!, ['joinContainer', 0x2000_0000, none]], 12, none) },
  { what: 'no program', bytes: launchProgram([...steps.slice(0, -1), ['exec', [], []]], none, none) },
];

execFileSync('hostname', ['outside']);
const whole = launchProgram(steps, none, none);
const sound = await launch(whole);
const before = await settled(2);
const launches: Told[] = [];
for (const { what, bytes } of [...brokenPrograms(whole, code.process), ...wrong]) {
  launches.push({ what, outcome: await launch(bytes) });
}
const after = await settled(2);

await box.create(['sleep', '1000']);
await box.start();
box.connection!.listen(
  (one) => early.push(one),
  () => {},
);
const execProgram = encodeExec({ process: spec.process!, membership: { tasks: [] }, namespaces, seccomp: undefined });
const soundExec = await exec(execProgram);
const beforeExec = await settled(4);
const execs: Told[] = [];
for (const { what, bytes } of brokenPrograms(execProgram, -1)) execs.push({ what, outcome: await exec(bytes) });
const afterExec = await settled(4);
const isAlive = box.isAlive();
const hostname = execFileSync('hostname', { encoding: 'utf8' }).trim();
closeSync(0);
console.log(
  JSON.stringify({ sound, soundExec, launches, execs, before, after, beforeExec, afterExec, isAlive, hostname }),
);
