/** Processors of a container. Source: compose-spec 05-services.md "cpus" to "cpuset"; runtime-spec config-linux.md "CPU". */
import { StackError } from '../../schemas/errors.ts';
import type { CpuResources } from '../../schemas/oci-runtime.ts';
import type { Service } from '../../schemas/project.ts';

/** Microseconds: the window a share of processor time is counted in. */
const cpuPeriod = 100_000;

/** @throws config.value for less than the kernel can count, and for two answers to one question. */
export function cpuResources(service: Service, resource: string): CpuResources | undefined {
  const cpus = service.deploy?.resources?.limits?.cpus ?? service.cpus;
  const cpu: CpuResources = {};
  if (service.cpu_shares) cpu.shares = Number(service.cpu_shares);
  if (service.cpu_period) cpu.period = service.cpu_period;
  if (service.cpu_quota) cpu.quota = service.cpu_quota;
  if (cpus) {
    refuseBoth(cpu, resource);
    cpu.period = cpuPeriod;
    cpu.quota = Math.round(Number(cpus) * cpuPeriod);
  }
  const field = cpus ? 'cpus' : 'cpu_quota';
  // kernel/sched/core.c: a quota below 1 ms is refused, -1 is none, and a period lies between 1 ms and 1 s.
  if (cpu.quota !== undefined && cpu.quota >= 0 && cpu.quota < 1000) {
    const hint = cpus ? 'The least is 0.01.' : 'The least is 1000 microseconds.';
    throw wrong(`${resource}.${field}`, `${cpus || cpu.quota} is less than the kernel can count`, hint);
  }
  if (cpu.period !== undefined && (cpu.period < 1000 || cpu.period > 1_000_000)) {
    throw wrong(`${resource}.cpu_period`, `${cpu.period} is no period`, 'Write 1000 to 1000000 microseconds.');
  }
  realtime(service, cpu, resource);
  if (service.cpuset) cpu.cpus = service.cpuset;
  return Object.keys(cpu).length > 0 ? cpu : undefined;
}

function refuseBoth(cpu: CpuResources, resource: string): void {
  const other = cpu.period ? 'cpu_period' : cpu.quota ? 'cpu_quota' : undefined;
  if (!other) return;
  throw wrong(`${resource}.cpus`, `it says the same as ${other}, otherwise`, 'Keep one of the two.');
}

function realtime({ cpu_rt_period, cpu_rt_runtime }: Service, cpu: CpuResources, resource: string): void {
  if (cpu_rt_period) cpu.realtimePeriod = cpu_rt_period;
  if (cpu_rt_runtime) cpu.realtimeRuntime = cpu_rt_runtime;
  if (!cpu_rt_runtime || cpu_rt_runtime <= (cpu_rt_period || 1_000_000)) return;
  throw wrong(
    `${resource}.cpu_rt_runtime`,
    `${cpu_rt_runtime} is more than the period of ${cpu_rt_period || 1_000_000}`,
    'Both are microseconds: lower it, or raise cpu_rt_period.',
  );
}

const wrong = (resource: string, what: string, hint: string) =>
  new StackError('config.value', { message: `${resource}: ${what}`, hint, resource });
