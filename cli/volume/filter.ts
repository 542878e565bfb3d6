/** `--filter` of `volume ls` and `volume prune`. Source: docker's reference of both commands. */
import type { VolumeRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import { labelsOf } from './format.ts';
import { isAnonymous } from './open.ts';

type Test = (record: VolumeRecord) => boolean;

const known = {
  ls: ['dangling', 'driver', 'label', 'name'],
  prune: ['all', 'label', 'label!'],
};

/**
 * What a volume must be: `label`s add up, other filters of one key are alternatives, and of different keys all must hold.
 * @param isUsed whether a container has it. @throws StackError `usage`
 */
export function volumeFilter(command: keyof typeof known, filters: string[], isUsed: (name: string) => boolean): Test {
  const tests = new Map<string, Test[]>();
  for (const text of filters) {
    const [key = '', value] = text.split(/=(.*)/s);
    if (value === undefined || !known[command].includes(key)) {
      throw new StackError('usage', {
        message: `"${text}" is no filter of \`stack volume ${command}\`.`,
        hint: `Known are ${known[command].join(', ')}, each followed by = and a value.`,
      });
    }
    tests.set(key, [...(tests.get(key) ?? []), test(key, value, isUsed)]);
  }
  return (record) =>
    [...tests].every(([key, all]) =>
      key.startsWith('label') ? all.every((one) => one(record)) : all.some((one) => one(record)),
    );
}

function test(key: string, value: string, isUsed: (name: string) => boolean): Test {
  switch (key) {
    case 'dangling':
      return ({ name }) => isUsed(name) !== truth(key, value);
    case 'all': {
      const all = truth(key, value);
      return (record) => all || isAnonymous(record);
    }
    case 'driver':
      return () => value === 'local';
    case 'name':
      return ({ name }) => name.includes(value);
    case 'label':
      return (record) => hasLabel(labelsOf(record), value);
    default:
      return (record) => !hasLabel(labelsOf(record), value);
  }
}

function truth(key: string, value: string): boolean {
  if (/^(true|false|1|0)$/.test(value)) return value === 'true' || value === '1';
  throw new StackError('usage', {
    message: `"${value}" is no value for the filter ${key}: it must be true or false.`,
  });
}

function hasLabel(labels: Record<string, string>, text: string): boolean {
  const [key = '', value] = text.split(/=(.*)/s);
  return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}
