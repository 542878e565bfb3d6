/** Capabilities of a container's process: docker's default fourteen, cap_add, cap_drop, ALL. Source: capabilities(7). */
import { readFileSync } from 'node:fs';
import { StackError } from '../../schemas/errors.ts';
import type { Capabilities } from '../../schemas/oci-runtime.ts';

/** Every capability by its number in linux/capability.h. */
export const capabilityNames = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

const defaults = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL'],
  'CAP_AUDIT_WRITE',
];

export interface CapabilityRequest {
  add?: string[] | undefined;
  drop?: string[] | undefined;
  isPrivileged?: boolean | undefined;
  /** What this process may hand on (see {@link boundingSet}): bounds ALL and privileged. */
  available?: string[] | undefined;
  /** For messages: `services.web`. */
  resource: string;
}

/**
 * The names a container may have, in the order of {@link capabilityNames}, with docker's rules: adding ALL wins over
 * dropping ALL, single drops win over added ALL, single adds win over single drops.
 * @throws config.value for a name the kernel does not know.
 */
export function containerCapabilities(request: CapabilityRequest): string[] {
  const all = request.available ?? capabilityNames;
  if (request.isPrivileged) return all;
  const add = (request.add ?? []).map((name) => normalise(name, `${request.resource}.cap_add`));
  const drop = (request.drop ?? []).map((name) => normalise(name, `${request.resource}.cap_drop`));
  let chosen: string[];
  if (add.includes('ALL')) chosen = all.filter((name) => !drop.includes(name));
  else if (drop.includes('ALL')) chosen = add;
  else chosen = [...defaults.filter((name) => !drop.includes(name)), ...add];
  return capabilityNames.filter((name) => chosen.includes(name));
}

/** The process's sets: as execve(2) would leave them, a user other than root keeps the bounding set alone. */
export function capabilitySets(names: string[], uid: number): Capabilities {
  return uid === 0 ? { bounding: names, effective: names, permitted: names } : { bounding: names };
}

const bits = new Map(capabilityNames.map((name, number) => [name, 1n << BigInt(number)]));
const masks = new Map<string, bigint>();

/** A set as capset(2) and prctl(2) count it. Names the kernel does not know count for nothing. */
export function capabilityMask(names: readonly string[] = []): bigint {
  const key = names.join();
  let mask = masks.get(key);
  if (mask === undefined) {
    mask = names.reduce((sum, name) => sum | (bits.get(name) ?? 0n), 0n);
    masks.set(key, mask);
  }
  return mask;
}

/** Names in the `CapBnd` line of a /proc/<pid>/status. */
export function boundingSet(status: string): string[] {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return capabilityNames.filter((_, number) => (mask >> BigInt(number)) & 1n);
}

let own: string[] | undefined;

/** What this process may hand on, read once. */
export function ownCapabilities(): string[] {
  own ??= boundingSet(readFileSync('/proc/self/status', 'utf8'));
  return own;
}

function normalise(name: string, resource: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (capabilityNames.includes(full)) return full;
  throw new StackError('config.value', {
    message: `${resource}: "${name}" is not a capability`,
    hint: 'Capabilities are listed in capabilities(7), such as NET_ADMIN or SYS_PTRACE; ALL stands for all of them.',
    resource,
  });
}
