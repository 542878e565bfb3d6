import { readFileSync } from 'node:fs';
import { cgroupProcesses } from '../../engine/runtime/cgroup/cgroup.ts';
import { updateCgroups } from '../../engine/runtime/cgroup/update.ts';
import { loadResources } from '../../engine/runtime/oci/config.ts';
import type { Runtime } from '../../engine/runtime/oci/create.ts';
import { wrongStatus } from '../../engine/runtime/oci/start.ts';
import { type ContainerState, cgroupOf } from '../../engine/runtime/oci/state.ts';
import { readSpec } from '../../engine/runtime/spec-json.ts';
import { StackError } from '../../schemas/errors.ts';
import type { Resources } from '../../schemas/oci-runtime.ts';
import type { Definition } from './command.ts';

/** Flag, and where its number goes. */
const numbers: Record<string, [group: 'memory' | 'cpu' | 'pids' | 'blockIO', property: string, help: string]> = {
  'blkio-weight': ['blockIO', 'weight', 'share of block devices, 10 to 1000'],
  'cpu-period': ['cpu', 'period', 'length of a period in microseconds'],
  'cpu-quota': ['cpu', 'quota', 'microseconds of a period'],
  'cpu-burst': ['cpu', 'burst', 'microseconds that may be saved up'],
  'cpu-share': ['cpu', 'shares', 'share of the processors'],
  'cpu-rt-period': ['cpu', 'realtimePeriod', 'length of a realtime period in microseconds'],
  'cpu-rt-runtime': ['cpu', 'realtimeRuntime', 'microseconds of a realtime period'],
  'cpu-idle': ['cpu', 'idle', '1: only what nobody else wants'],
  memory: ['memory', 'limit', 'bytes'],
  'memory-reservation': ['memory', 'reservation', 'bytes'],
  'memory-swap': ['memory', 'swap', 'bytes of memory and swap together; -1 for no limit'],
  'kernel-memory': ['memory', 'kernel', 'accepted for compatibility'],
  'kernel-memory-tcp': ['memory', 'kernelTCP', 'bytes of TCP buffers'],
  'pids-limit': ['pids', 'limit', 'processes; -1 for no limit'],
};

const camel = (flag: string) => flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

export const update: Definition = {
  usage: 'update <container-id>',
  summary: 'Change the limits of a container while it runs',
  options(command) {
    command.option('-r, --resources <file>', 'linux.resources as JSON; - for standard input');
    for (const [flag, [, , help]] of Object.entries(numbers)) command.option(`--${flag} <number>`, help);
    command
      .option('--cpuset-cpus <list>', 'processors, 0-3,7')
      .option('--cpuset-mems <list>', 'memory nodes')
      .option('--l3-cache-schema <text>', 'of Intel RDT')
      .option('--mem-bw-schema <text>', 'of Intel RDT');
  },
  async action(context, [id = ''], flags) {
    const runtime = await context.runtime();
    const state = runtime.states.read(id);
    const status = runtime.states.status(state);
    if (status === 'stopped') throw wrongStatus(id, status, 'updated', 'created or running');
    await changeResctrl(runtime, state, flags);
    const file = flags.resources as string | undefined;
    const resources = file
      ? loadResources(readFileSync(file === '-' ? 0 : file, 'utf8'), file).resources
      : fromFlags(flags);
    if (state.cgroupManager === 'systemd') {
      await (await import('../../engine/runtime/oci/unit.ts')).changeUnit(state, resources);
    }
    if (Object.keys(resources).length === 0 && !state.cgroupsPath) return;
    updateCgroups(cgroupOf(state, 'updated'), resources, undefined, runtime.kernel.process);
  },
};

/** --l3-cache-schema and --mem-bw-schema. @throws host.kernel-feature on a machine without resctrl */
async function changeResctrl(
  { states }: Runtime,
  state: ContainerState,
  flags: Record<string, unknown>,
): Promise<void> {
  const changed = {
    ...(flags.l3CacheSchema ? { l3CacheSchema: flags.l3CacheSchema as string } : {}),
    ...(flags.memBwSchema ? { memBwSchema: flags.memBwSchema as string } : {}),
  };
  if (Object.keys(changed).length === 0) return;
  const { updateResctrl } = await import('../../engine/runtime/oci/resctrl.ts');
  const { linux } = readSpec(states.config(state.id), state.id);
  const pids = state.cgroupsPath ? cgroupProcesses(state.cgroupsPath) : [state.pid];
  const group = updateResctrl(state.id, linux?.intelRdt ?? {}, changed, pids);
  if (group) states.write({ ...state, resctrl: group });
}

function fromFlags(flags: Record<string, unknown>): Resources {
  const groups: Record<string, Record<string, unknown>> = {};
  for (const [flag, [group, property]] of Object.entries(numbers)) {
    const text = flags[camel(flag)] as string | undefined;
    if (text === undefined) continue;
    if (!/^-?\d+$/.test(text)) {
      throw new StackError('usage', {
        message: `--${flag} ${text}: not a whole number.`,
        hint: 'Bytes and microseconds are written in full.',
      });
    }
    groups[group] = { ...groups[group], [property]: Number(text) };
  }
  for (const [flag, property] of [
    ['cpusetCpus', 'cpus'],
    ['cpusetMems', 'mems'],
  ] as const) {
    if (flags[flag] !== undefined) groups.cpu = { ...groups.cpu, [property]: flags[flag] };
  }
  return groups as Resources;
}
