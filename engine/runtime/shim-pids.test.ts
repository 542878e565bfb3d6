/** Numbers of processes come back; what the monitor remembers of an earlier one must not be taken for a later one. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { obstacle } from './shim.fixture.ts';

/** In a pid namespace of its own, where the next number can be chosen (proc_sys_kernel(5), ns_last_pid). */
const script = `
import { writeFileSync } from 'node:fs';
import { connectShim, encodeFrame, frame } from ${JSON.stringify(`${import.meta.dirname}/control.ts`)};
import { encodeExec } from ${JSON.stringify(`${import.meta.dirname}/program/program.ts`)};
import { Box, namespaces } from ${JSON.stringify(`${import.meta.dirname}/shim.fixture.ts`)};
using box = new Box();
const { receive, send, pipe } = box.kernel.process;
async function exec(script) {
  const process = { args: ['sh', '-c', script], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 }, capabilities: {} };
  const program = encodeExec({ process, membership: { tasks: [] }, namespaces, seccomp: undefined });
  const socket = connectShim(box.kernel, box.run, 'box');
  const [read, write] = pipe();
  send(socket, encodeFrame(frame.exec, program), [read, write, write]);
  for (;;) {
    const reply = Buffer.from((await receive(socket)).frame);
    if (reply.readUInt16LE(0) !== frame.started) return reply.readUInt32LE(2);
  }
}
const choose = (last) => writeFileSync('/proc/sys/kernel/ns_last_pid', String(last));
await box.create(['sleep', '60']);
await box.start();
await exec('exit 9');
const codes = [];
for (const base of [20000, 21000, 22000]) {
  choose(base);
  codes.push(await exec('exit 9')); // joins as base+1, runs as base+2
  choose(base - 1);
  codes.push(await exec('sleep 0.2; exit 9')); // joins as base, runs as base+1
}
console.log(JSON.stringify(codes));
`;

test.skipIf(obstacle !== '')('an exec whose number was another’s before keeps its own exit code', () => {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module-typescript'];
  const output = execFileSync('unshare', ['--pid', '--fork', '--mount-proc', ...node, '--eval', script], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(JSON.parse(output)).toEqual([9, 9, 9, 9, 9, 9]);
});
