/** What must be made and written for one container's cgroups. Pure: `linux.resources` in, files and values out. */
import type { Resources } from '../../../schemas/oci-runtime.ts';
import { runtimeDeviceRules } from '../devices.ts';
import { deviceFilter } from './device-filter.ts';
import type { Write } from './files.ts';
import type { Hierarchies } from './hierarchies.ts';
import { refuseUnkeepable } from './requirements.ts';
import { v1Writes } from './v1.ts';
import { v2Writes } from './v2.ts';

export type { Write } from './files.ts';

export interface CgroupPlan {
  /** The container's own directory in each hierarchy. */
  directories: string[];
  /** Directories above them, parents first, with what each needs before it can have children. */
  parents: { path: string; writes: Write[] }[];
  /** In this order, once the directories exist. */
  writes: Write[];
  /**
   * v1 files the container's first process writes `0` into, itself and still single-threaded. `tasks` and not
   * cgroup.procs: for its own single thread the kernel skips the lock whose RCU grace period costs some 10 ms
   * (kernel/cgroup/cgroup.c, cgroup_procs_write_start; Linux ≥ 5.9).
   */
  tasks: string[];
  /** v2 alone: the eBPF program for the device rules, for makeCgroups to attach. Null where v1 files say them. */
  deviceFilter: Uint8Array | null;
  /** The v2 directory, for clone3(2) CLONE_INTO_CGROUP, which takes no such lock either. Null where there is none. */
  unified: string | null;
}

/**
 * @param path `linux.cgroupsPath`, absolute below the top of each hierarchy.
 * @throws host.kernel-feature for a limit that no hierarchy of this machine can keep.
 */
export function cgroupPlan(resources: Resources, all: Hierarchies, path: string): CgroupPlan {
  refuseUnkeepable(resources, all);
  const plan: CgroupPlan = {
    directories: [],
    parents: [],
    writes: [],
    tasks: [],
    unified: null,
    deviceFilter: null,
  };
  for (const hierarchy of all.v1) {
    const directory = hierarchy.path + path;
    const isCpuset = hierarchy.controllers.includes('cpuset');
    plan.directories.push(directory);
    plan.tasks.push(`${directory}/tasks`);
    for (const parent of ancestors(path)) {
      plan.parents.push({ path: hierarchy.path + parent, writes: isCpuset ? sets(hierarchy.path + parent) : [] });
    }
    if (isCpuset) {
      plan.writes.push(...sets(directory).filter((one) => !isSet(one.file)));
    }
    plan.writes.push(...v1Writes(resources, hierarchy.controllers, directory));
  }
  if (all.v2) {
    const directory = all.v2.path + path;
    const enabled = v2Controllers(resources, all.v2.controllers);
    plan.directories.push(directory);
    plan.unified = directory;
    for (const parent of ['', ...ancestors(path)]) {
      plan.parents.push({ path: all.v2.path + parent, writes: enabling(all.v2.path + parent, enabled) });
    }
    plan.writes.push(...v2Writes(resources, enabled, directory));
    const hasV1Devices = all.v1.some((one) => one.controllers.includes('devices'));
    if (resources.devices && !hasV1Devices) {
      plan.deviceFilter = deviceFilter([...resources.devices, ...runtimeDeviceRules]);
    }
  }
  return plan;

  function sets(directory: string): Write[] {
    return [
      { file: `${directory}/cpuset.cpus`, value: all.cpuset.cpus, isInitial: true },
      { file: `${directory}/cpuset.mems`, value: all.cpuset.mems, isInitial: true },
    ].filter((one) => one.value !== '');
  }

  /** The resources say it themselves. */
  function isSet(file: string): boolean {
    return Boolean(file.endsWith('cpus') ? resources.cpu?.cpus : resources.cpu?.mems);
  }
}

/** Controllers of v2 that a container always has, for its limits and for its figures. */
const wanted = new Set(['cpuset', 'cpu', 'io', 'memory', 'pids']);

/** Those of `present` that a container of these resources is given. */
export function v2Controllers(resources: Resources, present: string[]): string[] {
  return present.filter((name) => wanted.has(name) || isExtra(name, resources));
}

/** Controllers that cost those who do not need them. */
function isExtra(controller: string, resources: Resources): boolean {
  if (controller === 'hugetlb' && resources.hugepageLimits?.length) return true;
  if (controller === 'rdma' && resources.rdma) return true;
  return Object.keys(resources.unified ?? {}).some((file) => file.startsWith(`${controller}.`));
}

/** One by one: a controller that cannot be enabled must not keep back the others. */
export const enabling = (parent: string, controllers: string[]): Write[] =>
  controllers.map((name) => ({ file: `${parent}/cgroup.subtree_control`, value: `+${name}`, isOptional: true }));

/** `/stack/demo/1f` → `/stack`, `/stack/demo`. */
export function ancestors(path: string): string[] {
  const parts = path.split('/').filter(Boolean);
  return parts.slice(0, -1).map((_, at) => `/${parts.slice(0, at + 1).join('/')}`);
}
