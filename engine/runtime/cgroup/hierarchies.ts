/** Which cgroup hierarchies the machine has, and where. Source: cgroups(7), proc_pid_mountinfo(5). */
import { readFileSync } from 'node:fs';

export interface Hierarchy {
  /** Where it is mounted. */
  path: string;
  /** v1: the controllers mounted together (`cpu`, `cpuacct`, `name=systemd`). v2: what cgroup.controllers says. */
  controllers: string[];
}

export interface Hierarchies {
  /** `hybrid`: v1 hierarchies with a v2 one besides that has no, or few, controllers. */
  mode: 'none' | 'v1' | 'hybrid' | 'unified';
  v1: Hierarchy[];
  v2: Hierarchy | null;
  /** v1: what cpuset.cpus and cpuset.mems of the top say; a new cgroup there starts with none and takes no process. */
  cpuset: { cpus: string; mems: string };
}

/**
 * Reads mountinfo. Where a hierarchy is mounted more than once, the mount below /sys/fs/cgroup counts.
 * @param read content of a file of a hierarchy, empty where it has none.
 */
export function parseHierarchies(mountinfo: string, read: (file: string) => string): Hierarchies {
  const v1 = new Map<string, Hierarchy>();
  let v2: Hierarchy | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const [type, , options] = right?.split(' ') ?? [];
    const path = unescaped(left?.split(' ')[4] ?? '');
    const isUsual = path.startsWith('/sys/fs/cgroup');
    if (type === 'cgroup2' && (!v2 || (isUsual && !v2.path.startsWith('/sys/fs/cgroup')))) {
      v2 = { path, controllers: words(read(`${path}/cgroup.controllers`)) };
    }
    if (type === 'cgroup') {
      const controllers = (options ?? '').split(',').filter((option) => !flags.has(option) && !isSetting(option));
      const key = controllers.join();
      if (!v1.has(key) || (isUsual && !v1.get(key)!.path.startsWith('/sys/fs/cgroup'))) {
        v1.set(key, { path, controllers });
      }
    }
  }
  const list = [...v1.values()].filter((one) => one.controllers.length > 0);
  const sets = list.find((one) => one.controllers.includes('cpuset'))?.path;
  return {
    mode: list.length === 0 ? (v2 ? 'unified' : 'none') : v2 ? 'hybrid' : 'v1',
    v1: list,
    v2,
    cpuset: sets
      ? { cpus: read(`${sets}/cpuset.cpus`).trim(), mems: read(`${sets}/cpuset.mems`).trim() }
      : { cpus: '', mems: '' },
  };
}

/** Options of the super block that are no controllers (kernel/cgroup/cgroup-v1.c, cgroup1_show_options). */
const flags = new Set(['rw', 'ro', 'noprefix', 'xattr', 'cpuset_v2_mode', 'favordynmods', 'none', 'clone_children']);
const isSetting = (option: string) => option.startsWith('release_agent=');
const words = (text: string) => text.split(/\s+/).filter(Boolean);
/** mountinfo writes space, tab, newline and backslash as octal. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

let known: Hierarchies | undefined;

/** The machine's, read once in the life of the process. */
export function hierarchies(): Hierarchies {
  known ??= parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), (file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  });
  return known;
}

/** The controllers' own v1 directory for `path`, or null where no v1 hierarchy has the controller. */
export function v1Directory(all: Hierarchies, controller: string, path: string): string | null {
  const found = all.v1.find((one) => one.controllers.includes(controller));
  return found ? found.path + path : null;
}
