/** Kernel parameters: only those a namespace of the container has for itself. Source: config-linux.md "Sysctl", sysctl(8), namespaces(7). */
import { statSync } from 'node:fs';
import type { NamespaceType } from '../../../../schemas/oci-runtime.ts';
import { pathOf } from './findings.ts';
import { namespaceOf, type Rule } from './rule.ts';

/** ipc_namespaces(7). */
const ofIpc = [
  ...['kernel/msgmax', 'kernel/msgmnb', 'kernel/msgmni', 'kernel/sem', 'kernel/shmall', 'kernel/shmmax'],
  ...['kernel/shmmni', 'kernel/shm_rmid_forced', 'kernel/auto_msgmni', 'kernel/msg_next_id', 'kernel/sem_next_id'],
  'kernel/shm_next_id',
];

/**
 * A name as a path below /proc/sys. As for sysctl(8), the first separator says which kind the name uses; the other kind
 * stands for a dot within a component: `net.ipv4.conf.eth0/100.forwarding` and `net/ipv4/conf/eth0.100/forwarding`.
 * @returns undefined where it would leave /proc/sys or has an empty component.
 */
export function sysctlPath(name: string): string | undefined {
  const separator = /[./]/.exec(name)?.[0];
  const swap: Record<string, string> = { '.': '/', '/': '.' };
  const path = separator === '.' ? name.replace(/[./]/g, (one) => swap[one]!) : name;
  const isInside = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  return isInside ? path : undefined;
}

function namespaceFor(path: string): NamespaceType | undefined {
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('fs/mqueue/') || ofIpc.includes(path)) return 'ipc';
  if (path === 'kernel/domainname' || path === 'kernel/hostname') return 'uts';
  return undefined;
}

const sysctl: Rule = {
  reads: ['linux.sysctl', 'linux.namespaces', 'hostname', 'domainname'],
  check(spec, findings) {
    for (const [name, value] of Object.entries(spec.linux?.sysctl ?? {})) {
      const at = pathOf(['linux', 'sysctl', name]);
      const path = sysctlPath(name);
      const type = path === undefined ? undefined : namespaceFor(path);
      if (path === undefined) findings.refuse(at, 'is not the name of a kernel parameter');
      else if (!type) findings.refuse(at, 'belongs to the whole machine, not to a namespace');
      else {
        const namespace = namespaceOf(spec, type);
        if (!namespace || (namespace.path !== undefined && isOwn(namespace.path, type))) {
          findings.refuse(at, `needs a new ${type} namespace in linux.namespaces: it would change the host`);
        }
        const field = path === 'kernel/hostname' ? 'hostname' : 'domainname';
        if (type === 'uts' && spec[field] && spec[field] !== value) findings.refuse(at, `contradicts ${field}`);
      }
    }
  },
};

const files: Partial<Record<NamespaceType, string>> = { network: 'net' };

/** Whether the path leads to the namespace this process is in itself. */
export function isOwn(path: string, type: NamespaceType): boolean {
  const own = statSync(`/proc/self/ns/${files[type] ?? type}`, { throwIfNoEntry: false });
  let other: typeof own;
  try {
    other = statSync(path, { throwIfNoEntry: false });
  } catch {
    // Whoever enters the namespace reports that it cannot be opened.
    return false;
  }
  return own !== undefined && own.ino === other?.ino && own.dev === other.dev;
}

export const sysctlRules: Rule[] = [sysctl];
