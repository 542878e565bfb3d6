/**
 * From the shim's clone to a process inside all of its namespaces. Source: runtime-spec config-linux.md "Namespaces",
 * clone(2), user_namespaces(7), time_namespaces(7).
 */
import type { Linux, NamespaceType } from '../../../schemas/oci-runtime.ts';
import type { Step } from './encoder.ts';
import { mapText } from './mounts.ts';

/** CLONE_NEW* of clone(2), by the namespace's name in config.json. */
export const namespaceFlags: Record<NamespaceType, number> = {
  time: 0x0000_0080,
  mount: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};

const bitsOf = (types: NamespaceType[]) => types.reduce((bits, type) => bits | namespaceFlags[type], 0);

export interface NamespacePlan {
  /** Flags of the first clone. */
  cloned: number;
  /** What comes once the process is in its cgroups, up to the last fork. */
  steps: Step[];
  /** Made new, not joined and not the caller's. */
  isNew(type: NamespaceType): boolean;
}

/**
 * Whether the namespaces need a process that enters them and forks: a user namespace comes before all it shall own, and
 * pid and time namespaces take children only.
 */
export function isStaged({ namespaces = [] }: Linux): boolean {
  return namespaces.some(({ type, path }) => type === 'user' || type === 'time' || (type === 'pid' && path));
}

/** Indexes of namespaces among the shim's descriptors. */
export type HandedNamespaces = Partial<Record<NamespaceType, number | undefined>>;

/**
 * @param handed what goes before what config.json says.
 * @param staged see {@link isStaged}; other reasons for it are the caller's.
 */
export function planNamespaces(linux: Linux, handed: HandedNamespaces, staged: boolean): NamespacePlan {
  const all = linux.namespaces ?? [];
  const isNew = (type: NamespaceType) =>
    all.some((one) => one.type === type && !one.path) && handed[type] === undefined;
  const made = (types: NamespaceType[]) => types.filter(isNew);
  const steps: Step[] = [];
  for (const [type, index] of Object.entries(handed)) {
    if (index !== undefined) steps.push(['setns', index, namespaceFlags[type as NamespaceType]]);
  }
  // While the host's rights last; the user namespace last of all, since with it they go.
  const joined = all
    .filter(({ type, path }) => path && handed[type] === undefined)
    .sort((a, b) => Number(a.type === 'user') - Number(b.type === 'user'));
  const join = (isUser: boolean) => {
    for (const { type, path } of joined) {
      if ((type === 'user') === isUser) steps.push(['setnsPath', path!, namespaceFlags[type]]);
    }
  };
  join(false);
  if (isNew('time')) {
    steps.push(['unshare', namespaceFlags.time, 'time namespace']);
    const offsets = offsetsText(linux.timeOffsets);
    if (offsets) steps.push(['timeOffsets', offsets]);
  }
  if (isNew('user')) steps.push(['userNamespace', mapText(linux.uidMappings), mapText(linux.gidMappings)]);
  join(true);
  // In the container's own cgroup already: the cgroup namespace begins there.
  const rest = staged ? made(['mount', 'uts', 'ipc', 'pid', 'network', 'cgroup']) : made(['cgroup']);
  if (rest.length > 0) steps.push(['unshare', bitsOf(rest), rest.join(' ')]);
  if (staged) steps.push(['fork']);
  return { cloned: staged ? 0 : bitsOf(made(['mount', 'uts', 'ipc', 'pid', 'network'])), steps, isNew };
}

/** Lines of /proc/self/timens_offsets: clock, seconds, nanoseconds. */
function offsetsText(offsets: Linux['timeOffsets'] = {}): string {
  return Object.entries(offsets)
    .map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`)
    .join('');
}
