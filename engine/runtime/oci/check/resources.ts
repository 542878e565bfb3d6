/** Limits of the cgroup. Source: config-linux.md "Control groups", the kernel's cgroup-v1 and cgroup-v2 documents. */
import type { Resources } from '../../../../schemas/oci-runtime.ts';
import { type Findings, pathOf, shown } from './findings.ts';
import { listProblem } from './numbers.ts';
import type { Rule } from './rule.ts';

const top = 'linux.resources';

const memory: Rule = {
  reads: [`${top}.memory`],
  check({ linux }, findings) {
    const given = linux?.resources?.memory;
    if (!given) return;
    const at = `${top}.memory`;
    for (const name of ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'] as const) {
      const value = given[name];
      if (value !== undefined && value < -1)
        findings.refuse(`${at}.${name}`, `must be bytes, or -1 for no limit: ${value}`);
    }
    const { limit = 0, swap = 0, swappiness = 0 } = given;
    if (limit > 0 && swap > 0 && swap < limit) {
      findings.refuse(`${at}.swap`, `counts memory and swap together and must not be below limit: ${swap} < ${limit}`);
    }
    if (swappiness > 100) findings.refuse(`${at}.swappiness`, `must be from 0 to 100: ${swappiness}`);
  },
};

const cpu: Rule = {
  reads: [`${top}.cpu`],
  check({ linux }, findings) {
    const given = linux?.resources?.cpu;
    if (!given) return;
    const at = `${top}.cpu`;
    for (const name of ['shares', 'burst', 'period', 'realtimePeriod'] as const) {
      if ((given[name] ?? 0) < 0) findings.refuse(`${at}.${name}`, `must not be negative: ${given[name]}`);
    }
    const { quota = 0, burst = 0, idle = 0 } = given;
    if (quota > 0 && burst > quota) findings.refuse(`${at}.burst`, `must not exceed quota: ${burst} > ${quota}`);
    if (idle !== 0 && idle !== 1) findings.refuse(`${at}.idle`, `must be 0 or 1: ${idle}`);
    for (const name of ['cpus', 'mems'] as const) {
      const problem = listProblem(given[name] ?? '');
      if (problem) findings.refuse(`${at}.${name}`, problem);
    }
  },
};

const weight = (value: number | undefined, path: string, findings: Findings) => {
  // blkio.weight; zero is what tools write for "not set".
  if (value !== undefined && value !== 0 && (value < 10 || value > 1000)) {
    findings.refuse(path, `must be from 10 to 1000: ${value}`);
  }
};

const throttles = [
  ...(['throttleReadBpsDevice', 'throttleWriteBpsDevice'] as const),
  ...(['throttleReadIOPSDevice', 'throttleWriteIOPSDevice'] as const),
];

const blockIo: Rule = {
  reads: [`${top}.blockIO`],
  check({ linux }, findings) {
    const given = linux?.resources?.blockIO ?? {};
    const at = `${top}.blockIO`;
    weight(given.weight, `${at}.weight`, findings);
    weight(given.leafWeight, `${at}.leafWeight`, findings);
    for (const [index, one] of (given.weightDevice ?? []).entries()) {
      const path = `${at}.weightDevice[${index}]`;
      if (one.weight === undefined && one.leafWeight === undefined) findings.refuse(path, 'needs weight or leafWeight');
      weight(one.weight, `${path}.weight`, findings);
      weight(one.leafWeight, `${path}.leafWeight`, findings);
    }
    for (const name of throttles) {
      for (const [index, one] of (given[name] ?? []).entries()) {
        if (one.rate === undefined) findings.refuse(`${at}.${name}[${index}].rate`, 'is missing');
      }
    }
  },
};

const rest: Rule = {
  reads: [`${top}.pids`, `${top}.rdma`, `${top}.unified`],
  check({ linux }, findings) {
    const given: Resources = linux?.resources ?? {};
    const pids = given.pids?.limit ?? 0;
    if (pids < -1) findings.refuse(`${top}.pids.limit`, `must be a number of tasks, or -1 for no limit: ${pids}`);
    for (const [name, { hcaHandles, hcaObjects }] of Object.entries(given.rdma ?? {})) {
      if (hcaHandles === undefined && hcaObjects === undefined) {
        findings.refuse(pathOf(['linux', 'resources', 'rdma', name]), 'needs hcaHandles or hcaObjects');
      }
    }
    for (const name of Object.keys(given.unified ?? {})) {
      if (!/^[\w-]+\.[\w.-]+$/.test(name)) {
        findings.refuse(`${top}.unified`, `has ${shown(name)}, which is not the name of a cgroup file`);
      }
    }
  },
};

export const resourceRules: Rule[] = [memory, cpu, blockIo, rest];
