/**
 * SELinux labels of a container: a domain for its process, a type for its files, and a pair of categories of its own
 * that keeps it from the files of other containers. Sources: selinux(8), the MCS part of the reference policy, the
 * types of the package container-selinux, and the options of `docker run --security-opt label=…`.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';

export interface SelinuxState {
  isEnabled: boolean;
  mode: 'enforcing' | 'permissive' | 'disabled';
}

/** selinuxfs is there only where the kernel runs with SELinux, and `policyvers` only where a policy is loaded. */
export function selinuxState(sys = '/sys'): SelinuxState {
  try {
    const enforce = readFileSync(join(sys, 'fs/selinux/enforce'), 'utf8').trim();
    statSync(join(sys, 'fs/selinux/policyvers'));
    return { isEnabled: true, mode: enforce === '1' ? 'enforcing' : 'permissive' };
  } catch {
    return { isEnabled: false, mode: 'disabled' };
  }
}

/** The loaded policy knows the label: selinuxfs refuses to hear of another (security_check_context(3)). */
export function isValidLabel(label: string, sys = '/sys'): boolean {
  try {
    const fd = openSync(join(sys, 'fs/selinux/context'), constants.O_RDWR);
    try {
      writeSync(fd, `${label}\0`);
      return true;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** What `label=` options ask for. */
export interface LabelOptions {
  isDisabled?: boolean;
  user?: string;
  role?: string;
  type?: string;
  level?: string;
  filetype?: string;
}

const keys = ['user', 'role', 'type', 'level', 'filetype'] as const;

/** One `label=` option, read into `options`. @throws config.value */
export function readLabelOption(value: string, options: LabelOptions, where: string): LabelOptions {
  if (value === 'disable') return { ...options, isDisabled: true };
  const [, key = '', rest = ''] = /^([a-z]+):(.+)$/s.exec(value) ?? [];
  const known = keys.find((one) => one === key);
  // A colon more would make another field of the label; only a level is made of several.
  const isWord = /^[\w.,:-]+$/.test(rest) && (known === 'level' || !/[:,]/.test(rest));
  if (known && isWord) return { ...options, [known]: rest };
  throw new StackError('config.value', {
    message: `${where}: "label=${value}" is not a label option`,
    hint: 'Label options are label=disable, label=user:U, label=role:R, label=type:T, label=level:L and label=filetype:T.',
    resource: where,
  });
}

export interface Labels {
  /** `process.selinuxLabel` */
  process: string;
  /** `linux.mountLabel` */
  mount: string;
}

/** Undefined where the container is to have none. @param level sensitivity and categories: `s0:c1,c2`. */
export function containerLabels(options: LabelOptions, level: string): Labels | undefined {
  if (options.isDisabled) return undefined;
  const { user = 'system_u', role = 'system_r', type = 'container_t', filetype = 'container_file_t' } = options;
  const chosen = options.level ?? level;
  return { process: `${user}:${role}:${type}:${chosen}`, mount: `system_u:object_r:${filetype}:${chosen}` };
}

/** What any container may read and write: for files that several share. */
export const sharedFileLabel = 'system_u:object_r:container_file_t:s0';

const categories = 1024;

/**
 * The `attempt`-th pair of different categories for an id, the lower one first, as the kernel writes them: each id has an
 * order of its own of the 523,776 there are, so that two seldom meet.
 */
export function categoryPair(id: string, attempt: number): string {
  const hash = createHash('sha256').update(`${id} ${attempt}`).digest();
  const first = hash.readUInt32LE(0) % categories;
  const second = (first + 1 + (hash.readUInt32LE(4) % (categories - 1))) % categories;
  return `s0:c${Math.min(first, second)},c${Math.max(first, second)}`;
}
