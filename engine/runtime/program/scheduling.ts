/** When and where a process runs, as the shim's steps. Source: runtime-spec config.md "Linux Process", the calls' man pages. */
import { StackError } from '../../../schemas/errors.ts';
import type { Int64, MemoryPolicy, Process, Scheduler } from '../../../schemas/oci-runtime.ts';
import type { Step } from './encoder.ts';

/** RLIMIT_* of setrlimit(2) by number on x86-64 and arm64. */
const rlimits = [
  ...['CPU', 'FSIZE', 'DATA', 'STACK', 'CORE', 'RSS', 'NPROC', 'NOFILE', 'MEMLOCK', 'AS', 'LOCKS', 'SIGPENDING'],
  ...['MSGQUEUE', 'NICE', 'RTPRIO', 'RTTIME'],
];

export function rlimitSteps(process: Process): Step[] {
  return (process.rlimits ?? []).map(({ type, soft, hard }) => {
    const number = rlimits.indexOf(type.replace(/^RLIMIT_/, ''));
    if (number < 0) {
      throw new StackError('config.value', { message: `Unknown resource limit ${type}.`, hint: 'See setrlimit(2).' });
    }
    return ['rlimit', number, { u64: soft }, { u64: hard }, type];
  });
}

/** SCHED_* of sched(7). */
const policies: Record<Scheduler['policy'], number> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const schedulerFlags: Record<NonNullable<Scheduler['flags']>[number], number> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** `struct sched_attr` of sched_setattr(2), its first version of 48 bytes. */
function schedulerAttributes(scheduler: Scheduler): Uint8Array {
  const out = Buffer.alloc(48);
  const wide = (value: Int64 | undefined, at: number) =>
    out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value ?? 0)), at);
  out.writeUInt32LE(48, 0);
  out.writeUInt32LE(policies[scheduler.policy], 4);
  wide(
    (scheduler.flags ?? []).reduce((bits, flag) => bits | schedulerFlags[flag], 0),
    8,
  );
  out.writeInt32LE(scheduler.nice ?? 0, 16);
  out.writeUInt32LE(scheduler.priority ?? 0, 20);
  wide(scheduler.runtime, 24);
  wide(scheduler.deadline, 32);
  wide(scheduler.period, 40);
  return out;
}

/** IOPRIO_CLASS_* of ioprio_set(2). */
const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };

export function schedulingSteps({ scheduler, ioPriority }: Process): Step[] {
  const steps: Step[] = [];
  if (ioPriority) steps.push(['ioPriority', (ioClasses[ioPriority.class] << 13) | (ioPriority.priority ?? 0)]);
  if (scheduler) steps.push(['scheduler', schedulerAttributes(scheduler)]);
  return steps;
}

/** A CPU or node list (`0-3,7`) as the bit mask the kernel reads: whole 64-bit words. @throws config.value */
export function listMask(list: string, resource: string): Uint8Array {
  const mask = Buffer.alloc(128);
  let top = 0;
  for (const part of list.split(',').map((text) => text.trim())) {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const first = Number(from);
    const last = Number(to ?? from);
    if (from === undefined || first > last || last >= 1024) {
      throw new StackError('config.value', {
        message: `${resource}: "${list}" is not a list of numbers below 1024 and ranges of them.`,
        hint: 'Write it as `0-3,7`.',
        resource,
      });
    }
    for (let bit = first; bit <= last; bit++) mask[bit >> 3]! |= 1 << (bit & 7);
    top = Math.max(top, last);
  }
  return mask.subarray(0, ((top >> 6) + 1) * 8);
}

export function affinityStep(list: string | undefined, which: string): Step[] {
  return list ? [['affinity', listMask(list, `process.execCPUAffinity.${which}`)]] : [];
}

/** MPOL_* of set_mempolicy(2). */
const memoryModes: Record<MemoryPolicy['mode'], number> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};
const memoryFlags: Record<NonNullable<MemoryPolicy['flags']>[number], number> = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
};

export function memoryPolicySteps(policy: MemoryPolicy | undefined): Step[] {
  if (!policy) return [];
  const mode = (policy.flags ?? []).reduce((bits, flag) => bits | memoryFlags[flag], memoryModes[policy.mode]);
  const nodes = policy.nodes ? listMask(policy.nodes, 'linux.memoryPolicy.nodes') : new Uint8Array();
  return [['memoryPolicy', mode, nodes]];
}
