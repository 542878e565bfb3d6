/** Cgroups: which version, writable or not, and what limits there are. Source: cgroups(7), cgroup-v2.rst. */
import { type Hierarchies, parseHierarchies } from '../runtime/cgroup/hierarchies.ts';
import { type Check, check, isAtLeast, type Machine } from './check.ts';

/** By v1 name and what for; v2 has the same but for `freezer`, which is no controller there. */
const controllers = [
  ['memory', 'mem_limit'],
  ['cpu', 'cpus and cpu_shares'],
  ['pids', 'pids_limit'],
  ['cpuset', 'cpuset'],
  ['freezer', 'pause'],
] as const;

export function cgroupChecks(machine: Machine): Check[] {
  const all = parseHierarchies(machine.read('/proc/self/mountinfo') ?? '', (file) => machine.read(file) ?? '');
  if (all.mode === 'none') {
    const { fail } = check('cgroup.mode', 'Cgroups');
    return [fail('no cgroup file system is mounted', 'Mount one: `mount -t cgroup2 cgroup2 /sys/fs/cgroup`.')];
  }
  return [
    mode(all),
    writable(machine, all),
    ...controllers.map(([name, use]) => controller(machine, all, name, use)),
    swap(machine, all),
  ];
}

function mode({ mode }: Hierarchies): Check {
  const words = { unified: 'v2', hybrid: 'v1, and v2 beside it', v1: 'v1', none: 'none' };
  return check('cgroup.mode', 'Cgroups').ok(words[mode]);
}

function writable({ isWritable }: Machine, { v1, v2 }: Hierarchies): Check {
  const { ok, fail } = check('cgroup.writable', 'Cgroups can be made');
  const closed = [...v1, ...(v2 ? [v2] : [])].map(({ path }) => path).filter((path) => !isWritable(path));
  if (closed.length === 0) return ok('yes');
  return fail(
    `not below ${closed[0]}`,
    'Run as root; inside another container its cgroup file systems must be mounted for writing.',
  );
}

function controller(machine: Machine, all: Hierarchies, name: string, use: string): Check {
  const { ok, warn } = check(`cgroup.${name}`, `Cgroup ${name}`);
  if (all.v1.some((one) => one.controllers.includes(name))) return ok('v1');
  if (name === 'freezer' && all.v2 && isAtLeast(machine.release, 5, 2)) return ok('v2');
  if (all.v2?.controllers.includes(name)) return ok('v2');
  return warn(
    'none',
    `\`${use}\` will be refused or have no effect: the kernel has it not, or \`cgroup_disable=\` took it.`,
  );
}

/** v2 shows the file below the top only; where nothing is below, the kernel's command line tells. */
function swap(machine: Machine, all: Hierarchies): Check {
  const { ok, warn } = check('cgroup.swap', 'Cgroup swap accounting');
  const v1 = all.v1.find((one) => one.controllers.includes('memory'));
  const top = all.v2?.path ?? '';
  const below = v1 ? [] : machine.list(top).filter((name) => machine.exists(`${top}/${name}/memory.max`));
  const isThere = v1
    ? machine.exists(`${v1.path}/memory.memsw.limit_in_bytes`)
    : below.length > 0
      ? machine.exists(`${top}/${below[0]}/memory.swap.max`)
      : !/\bswapaccount=0\b/.test(machine.read('/proc/cmdline') ?? '');
  if (isThere) return ok('on');
  return warn('off', '`memswap_limit` has no effect; `swapaccount=1` on the kernel’s command line turns it on.');
}
