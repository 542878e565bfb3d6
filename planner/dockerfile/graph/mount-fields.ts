/** The fields of one --mount, checked against its type. Source: Dockerfile reference, "RUN --mount". */
import type { InstructionText } from '../../../schemas/dockerfile.ts';
import { nearest } from '../../load/suggest.ts';
import { refuse } from '../site.ts';
import { expandIn, type Step } from './dispatch.ts';

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const sharings = ['shared', 'private', 'locked'] as const;
const keys = [
  ...['type', 'from', 'source', 'target', 'readonly', 'readwrite', 'id', 'sharing', 'required', 'size', 'mode', 'uid'],
  ...['gid', 'env', 'src', 'dst', 'destination', 'ro', 'rw'],
];
const synonyms: Record<string, string> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

export interface MountFields {
  type: (typeof types)[number];
  from?: string;
  source?: string;
  target?: string;
  readonly: boolean;
  id?: string;
  sharing?: (typeof sharings)[number];
  required: boolean;
  size?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  env?: string;
}

/** @throws StackError `build.value` */
export function readMountFields(
  { written, fields }: { written: string; fields: string[] },
  source: InstructionText,
  step: Step,
): MountFields {
  const wrong = (why: string, hint?: string): never =>
    refuse(source, `RUN --mount=${written}: ${why}.`, { word: written, hint, code: 'build.value' });
  const choose = <T extends string>(key: string, value: string, choices: readonly T[]): T => {
    if (choices.includes(value.toLowerCase() as T)) return value.toLowerCase() as T;
    const meant = nearest(value, choices);
    return wrong(`${key} "${value}" is not known`, meant ? `Did you mean ${meant}?` : `It is ${choices.join(', ')}.`);
  };
  const truth = (key: string, value: string | undefined): boolean => {
    if (value === undefined || /^(?:1|t|true)$/i.test(value)) return true;
    return /^(?:0|f|false)$/i.test(value) ? false : wrong(`${key} is true or false, not "${value}"`);
  };
  const values = new Map<string, string | undefined>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    const name = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    if (!keys.includes(name)) {
      const meant = nearest(name, keys);
      wrong(`"${name}" is no option of a mount`, meant ? `Did you mean ${meant}?` : `Options are ${keys.join(', ')}.`);
    }
    const key = synonyms[name] ?? name;
    const raw = equals === -1 ? undefined : field.slice(equals + 1);
    if (raw === undefined && !['readonly', 'readwrite', 'required'].includes(key)) wrong(`${name} needs a value`);
    if (key === 'from' && raw!.includes('$')) {
      wrong('from takes no variables', 'Name a stage with FROM $VARIABLE AS name, and take from that.');
    }
    values.set(key, raw === undefined ? undefined : expandIn(step, source, raw));
  }
  const type = values.has('type') ? choose('type', values.get('type')!, types) : 'bind';
  const onlyFor = (key: string, ...allowed: string[]) => {
    if (values.has(key) && !allowed.includes(type)) wrong(`a ${type} mount takes no ${key}`);
  };
  onlyFor('required', 'secret', 'ssh');
  onlyFor('size', 'tmpfs');
  onlyFor('sharing', 'cache');
  onlyFor('env', 'secret');
  for (const key of ['mode', 'uid', 'gid']) onlyFor(key, 'secret', 'ssh', 'cache');
  const number = (key: string, digits: RegExp, radix: number): number | undefined => {
    const value = values.get(key);
    if (value === undefined) return undefined;
    return digits.test(value) ? Number.parseInt(value, radix) : wrong(`${key} "${value}" is no number`);
  };
  const result: MountFields = { type, readonly: type === 'bind', required: false };
  for (const [key, value] of values) {
    if (key === 'readonly') result.readonly = truth(key, value);
    else if (key === 'readwrite') result.readonly = !truth(key, value);
    else if (key === 'required') result.required = truth(key, value);
    else if (key === 'sharing') result.sharing = choose(key, value!, sharings);
    else if (key === 'mode') result.mode = number(key, /^[0-7]{1,5}$/, 8)!;
    else if (key === 'uid' || key === 'gid') result[key] = number(key, /^\d{1,10}$/, 10)!;
    else if (key !== 'type') result[key as 'from' | 'source' | 'target' | 'id' | 'size' | 'env'] = value!;
  }
  return result;
}
