/** `--filter` of `network ls` and `network prune`. Source: docker's reference of both commands. */
import { parseTime } from '../../engine/logs/time.ts';
import type { NetworkRecord } from '../../schemas/container.ts';
import { StackError } from '../../schemas/errors.ts';
import { labelsOf } from './format.ts';

type Test = (record: NetworkRecord) => boolean;

const known = {
  ls: ['driver', 'id', 'label', 'name', 'scope', 'type', 'dangling'],
  prune: ['label', 'label!', 'until'],
};

/** `isUsed`: a container is on the network. Filters of one key are alternatives, labels add up. @throws StackError `usage` */
export function networkFilter(command: keyof typeof known, filters: string[], isUsed: Test): Test {
  const tests = new Map<string, Test[]>();
  for (const text of filters) {
    const [key = '', ...rest] = text.split('=');
    if (rest.length === 0 || !known[command].includes(key)) {
      throw new StackError('usage', {
        message: `"${text}" is no filter of \`stack network ${command}\`.`,
        hint: `Known are ${known[command].join(', ')}, each followed by = and a value.`,
      });
    }
    tests.set(key, [...(tests.get(key) ?? []), test(key, rest.join('='), isUsed)]);
  }
  return (record) =>
    [...tests].every(([key, all]) =>
      key.startsWith('label') ? all.every((one) => one(record)) : all.some((one) => one(record)),
    );
}

function test(key: string, value: string, isUsed: Test): Test {
  switch (key) {
    case 'driver':
      return ({ driver }) => driver === value;
    case 'id':
      return ({ id }) => id?.startsWith(value) ?? false;
    case 'name':
      return ({ name }) => name.includes(value);
    case 'scope':
      return () => value === 'local';
    case 'type':
      // There are no networks that nobody made.
      return () => value === 'custom';
    case 'dangling':
      return (record) => isUsed(record) !== /^(?:true|1)$/.test(value);
    case 'until': {
      const time = Date.parse(parseTime(value));
      return ({ createdAt }) => (Date.parse(createdAt ?? '') || 0) < time;
    }
    default:
      return (record) => hasLabel(labelsOf(record), value) === (key === 'label');
  }
}

function hasLabel(labels: Record<string, string>, text: string): boolean {
  const [key = '', ...rest] = text.split('=');
  if (!Object.hasOwn(labels, key)) return false;
  return rest.length === 0 || labels[key] === rest.join('=');
}
