/**
 * exec into a container whose process ends, and whose number another process gets, right when exec opens it. Alone in its pid
 * namespace, with its own procfs: there the next number can be chosen. Prints what exec said.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { exec } from '../../engine/runtime/oci/exec.ts';
import { type ContainerState, States } from '../../engine/runtime/oci/state.ts';
import { loadKernel } from '../../native/index.ts';
import type { KernelPort } from '../../schemas/kernel.ts';

const [root = '', id = '', mark = '', when = ''] = process.argv.slice(2);
const states = new States(root);
const state = states.read(id);
const kernel = loadKernel();

/** Its place is taken by a process in the namespaces of this one, which started later. */
function replace({ pid }: ContainerState): void {
  process.kill(pid, 'SIGKILL');
  while (existsSync(`/proc/${pid}`)) execFileSync('sleep', ['0.05']);
  while (!existsSync(`/proc/${pid}`)) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    spawn('sleep', ['1000'], { stdio: 'ignore', detached: true }).unref();
  }
}

const verbs: KernelPort['process'] = Object.create(kernel.process, {
  pidfdOpen: {
    value(pid: number) {
      if (when === 'before') replace(state);
      const opened = kernel.process.pidfdOpen(pid);
      if (when === 'after') replace(state);
      return opened;
    },
  },
});
const runtime = {
  kernel: { ...kernel, process: verbs },
  states,
  cgroupManager: 'cgroupfs' as const,
  environment: {},
  warn: () => {},
};
const command = { args: ['/bin/sh', '-c', `echo there > ${mark}`], cwd: '/', env: ['PATH=/bin'] };
const said = await exec(runtime, id, command, { isDetached: false }).then(
  () => 'executed',
  (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
);
console.log(said);
process.exit(0);
