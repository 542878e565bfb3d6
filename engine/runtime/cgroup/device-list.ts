/**
 * `linux.resources.devices` as the list the kernel's v1 devices controller keeps, and the writes that make it so.
 * Source: admin-guide/cgroup-v1/devices; security/device_cgroup.c. The list is of one kind: exceptions to "nothing" or
 * exceptions to "everything".
 */
import { StackError } from '../../../schemas/errors.ts';
import type { DeviceRule } from '../../../schemas/oci-runtime.ts';

export interface DeviceList {
  /** What holds for a device that no exception speaks of. */
  allowsAll: boolean;
  /** `c 1:3` → `rwm`: what is granted, or refused where everything else is allowed. */
  exceptions: Map<string, string>;
}

export interface DeviceLine {
  file: 'devices.allow' | 'devices.deny';
  value: string;
}

/** True where the rule is for every device and every access; others of type `a` stand for one of `b` and one of `c`. */
export const isForAll = (rule: DeviceRule): boolean =>
  (rule.type ?? 'a') === 'a' && isAny(rule.major) && isAny(rule.minor) && accessOf(rule) === 'rwm';

/** In the order `rwm`, each letter once; all where nothing is said. @throws config.value for another letter. */
export function accessOf({ access }: DeviceRule): string {
  if (access && /[^rwm]/.test(access)) {
    throw new StackError('config.value', {
      message: `linux.resources.devices: the access "${access}" is not made of r, w and m`,
      hint: 'r is to read, w to write, m to make the node.',
      resource: 'linux.resources.devices',
    });
  }
  return access ? [...'rwm'].filter((letter) => access.includes(letter)).join('') : 'rwm';
}

/** runtime-spec: absent or -1 stands for every number. */
const isAny = (value: number | undefined) => value === undefined || value < 0;

/**
 * The lines for a new cgroup, each a write of its own, without what changes nothing. A list that does not begin with a
 * rule for everything begins closed.
 * @param own the runtime's rules behind them; of those the kernel may ignore what it cannot do.
 * @throws host.kernel-feature for a rule it would take and ignore: part of a wildcard cannot be taken back in v1.
 */
export function deviceLines(rules: DeviceRule[], own: DeviceRule[] = []): DeviceLine[] {
  const list: DeviceList = { allowsAll: true, exceptions: new Map() };
  const closed: DeviceRule[] = rules[0] && isForAll(rules[0]) ? [] : [{ allow: false }];
  return [
    ...[...closed, ...rules].flatMap((rule) => apply(list, rule, true)),
    ...own.flatMap((rule) => apply(list, rule, false)),
  ];
}

/** The list that the rules make. */
export function deviceList(rules: DeviceRule[], own: DeviceRule[] = []): DeviceList {
  const list: DeviceList = { allowsAll: false, exceptions: new Map() };
  for (const rule of rules) apply(list, rule, true);
  for (const rule of own) apply(list, rule, false);
  return list;
}

/** Changes the list as the kernel would, and answers the lines that have it do so. */
function apply(list: DeviceList, rule: DeviceRule, isStrict: boolean): DeviceLine[] {
  const file = rule.allow ? 'devices.allow' : 'devices.deny';
  if (isForAll(rule)) {
    list.allowsAll = rule.allow;
    list.exceptions.clear();
    return [{ file, value: 'a' }];
  }
  const types = (rule.type ?? 'a') === 'a' ? ['b', 'c'] : [rule.type!];
  return types.flatMap((type) => {
    const key = `${type} ${number(rule.major)}:${number(rule.minor)}`;
    const changed = applyOne(list, rule, key, isStrict);
    return changed ? [{ file, value: `${key} ${changed}` } satisfies DeviceLine] : [];
  });
}

/** The accesses that change; '' for none. */
function applyOne({ allowsAll, exceptions }: DeviceList, rule: DeviceRule, key: string, isStrict: boolean): string {
  const access = accessOf(rule);
  const present = exceptions.get(key) ?? '';
  if (rule.allow !== allowsAll) {
    if ([...access].every((letter) => present.includes(letter))) return '';
    exceptions.set(key, [...'rwm'].filter((letter) => (present + access).includes(letter)).join(''));
    return access;
  }
  for (const [other, letters] of isStrict ? exceptions : []) {
    if (other !== key && overlaps(other, key) && [...access].some((letter) => letters.includes(letter))) {
      throw hole(key, access, rule.allow, `${other} ${letters}`);
    }
  }
  const kept = [...present].filter((letter) => !access.includes(letter)).join('');
  if (kept === present) return '';
  if (kept === '') exceptions.delete(key);
  else exceptions.set(key, kept);
  return access;
}

/** Whether two keys have a device in common. */
function overlaps(a: string, b: string): boolean {
  const [left, right] = [a.split(/[ :]/), b.split(/[ :]/)];
  return left.every((part, at) => part === '*' || right[at] === '*' || part === right[at]);
}

const number = (value: number | undefined) => (isAny(value) ? '*' : String(value));

function hole(key: string, access: string, allow: boolean, other: string): StackError {
  return new StackError('host.kernel-feature', {
    message: `linux.resources.devices: cgroup v1 cannot ${allow ? 'allow' : 'deny'} "${key} ${access}", which overlaps the earlier "${other}"`,
    hint: 'Name the devices one by one instead of by a wildcard with an exception, or use cgroup v2.',
    resource: 'linux.resources.devices',
    operation: `devices.${allow ? 'allow' : 'deny'}`,
  });
}

/**
 * From what devices.list says to the wanted list, with no moment at which a device granted by both is refused.
 * @param present content of devices.list.
 */
export function deviceChange(present: string, wanted: DeviceList): DeviceLine[] {
  const current = parseDeviceList(present);
  const lines: DeviceLine[] = [];
  const [give, take] = wanted.allowsAll
    ? (['devices.deny', 'devices.allow'] as const)
    : (['devices.allow', 'devices.deny'] as const);
  // An open list does not show its exceptions: it is made anew.
  const isAnew = wanted.allowsAll || current === null;
  if (isAnew) lines.push({ file: take, value: 'a' });
  const had = isAnew ? new Map<string, string>() : current;
  for (const [key, access] of wanted.exceptions) {
    const more = [...access].filter((letter) => !had.get(key)?.includes(letter)).join('');
    if (more) lines.push({ file: give, value: `${key} ${more}` });
  }
  for (const [key, access] of had) {
    const less = [...access].filter((letter) => !wanted.exceptions.get(key)?.includes(letter)).join('');
    if (less) lines.push({ file: take, value: `${key} ${less}` });
  }
  return lines;
}

/** Null where everything is allowed. */
function parseDeviceList(text: string): Map<string, string> | null {
  const found = new Map<string, string>();
  for (const line of text.split('\n').filter(Boolean)) {
    const [type, numbers, access] = line.split(' ');
    if (type === 'a') return null;
    found.set(`${type} ${numbers}`, accessOf({ allow: true, access: access! }));
  }
  return found;
}
