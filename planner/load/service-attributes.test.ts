import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Service } from '../../schemas/project.ts';
import { loadText } from './fixture.ts';
import { ignoredAttributes } from './ignored.ts';
import { alwaysRefused } from './refused.ts';
import { knownAttributes } from './validate.ts';

const page = readFileSync(new URL('../../docs/service-attributes.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `([^`]+)` +\| (.+?) +\| (.*?) *\|$/gm)].map(([, attribute, how, limits]) => ({
  attribute: attribute!,
  how: how!,
  limits: limits!,
}));
const attributes = knownAttributes(['services', 'x']).toSorted();

test('the table has every attribute of the schema, once, by name', () => {
  expect(rows).toHaveLength(page.split('\n').filter((line) => line.startsWith('| `')).length);
  expect(rows.map(({ attribute }) => attribute)).toEqual(attributes);
});

test('what it says is refused or ignored is', () => {
  const saying = (word: string) => rows.filter(({ how }) => how === word).map(({ attribute }) => attribute);
  expect(saying('refused')).toEqual(alwaysRefused.toSorted());
  const windows = { cpu_count: 1, cpu_percent: 1 } as unknown as Service;
  expect(saying('ignored')).toEqual(ignoredAttributes(windows).flatMap(({ path }) => path));
});

test('attributes come out of the loader in the form the engine reads', () => {
  const text = `services:
  a:
    image: x
    devices: [/dev/fuse, "vendor.com/class=x"]
    gpus: all
    blkio_config: {weight: 10, device_read_bps: [{path: /dev/sda, rate: 1mb}]}
    pre_start: [{command: a b, environment: [C=d], per_replica: "true"}]
    mem_swappiness: 7
    cpu_period: "1000"
`;
  expect(loadText(text).project.services.a).toMatchObject({
    devices: [
      { source: '/dev/fuse', target: '/dev/fuse', permissions: 'rwm' },
      { source: 'vendor.com/class=x', target: 'vendor.com/class=x', permissions: 'rwm' },
    ],
    gpus: [{ count: -1 }],
    blkio_config: { weight: 10, device_read_bps: [{ path: '/dev/sda', rate: '1048576' }] },
    pre_start: [{ command: ['a', 'b'], environment: { C: 'd' }, per_replica: true }],
    mem_swappiness: '7',
    cpu_period: 1000,
  });
});
