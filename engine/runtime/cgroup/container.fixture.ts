/** A cgroup of a container on this machine with processes in it, below a parent of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { loadKernel } from '../../../native/index.ts';
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { cgroupPlan, hierarchies, makeCgroups, removeCgroups } from './cgroup.ts';
import type { Hierarchies } from './hierarchies.ts';

export const parent = `/stack-test-${process.pid}`;
export const isUsable = process.getuid?.() === 0 && hierarchies().mode !== 'none';
if (!isUsable) console.log('skipped: cgroups of the machine need root and a mounted hierarchy');
/** The v2 hierarchy alone, as a unified machine has it; null where none is mounted. */
export const v2Alone: Hierarchies | null = hierarchies().v2 && {
  ...hierarchies(),
  mode: 'unified',
  v1: [],
};

/** A container's cgroup and what to do with it; `using` removes it with everything below the parent. */
export async function container(name: string, resources: Resources = {}, all: Hierarchies = hierarchies()) {
  const path = `${parent}/${name}`;
  const started: ChildProcess[] = [];
  makeCgroups(cgroupPlan(resources, all, path), loadKernel().process);
  const tops = [...all.v1, ...(all.v2 ? [all.v2] : [])].map((one) => one.path);
  return {
    path,
    /** A shell in the cgroup, or in `below` of it, that is done with `before`. */
    async run(script: string, below = '', before = ':') {
      const child = spawn('/bin/sh', ['-c', `read go; ${before}; echo ready; ${script}`], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      started.push(child);
      for (const top of tops) writeFileSync(`${top}${path}${below}/cgroup.procs`, String(child.pid));
      child.stdin.end('go\n');
      await once(child.stdout, 'data');
      return child;
    },
    /** Directories of the container or its parent that exist. */
    left: () => tops.map((top) => top + parent).filter(existsSync),
    async [Symbol.asyncDispose]() {
      await removeCgroups(path, all);
      for (const child of started) child.kill('SIGKILL');
      for (const top of tops) if (existsSync(top + parent) && empty(top + parent)) rmdirSync(top + parent);
    },
  };
}

const empty = (directory: string) =>
  !readdirSync(directory, { withFileTypes: true }).some((entry) => entry.isDirectory());
