import { expect, test } from 'vitest';
import type { VolumeRecord } from '../../schemas/container.ts';
import { volumeFilter } from './filter.ts';
import { volumeDocument, volumeEntry } from './format.ts';

const record = (name: string, more: Partial<VolumeRecord> = {}): VolumeRecord => ({
  key: '',
  name,
  stack: '',
  path: `/volumes/${name}/_data`,
  isAnonymous: false,
  labels: {},
  config: { name },
  createdAt: '2026-01-02T03:04:05.000Z',
  ...more,
});
const all = [
  record('data', { labels: { stage: 'test', empty: '' } }),
  record('demo_data', { stack: 'demo', key: 'data', labels: { stage: 'live' } }),
  record('0f', { isAnonymous: true, stack: 'demo' }),
];
const isUsed = (name: string) => name === 'data';
const found = (command: 'ls' | 'prune', ...filters: string[]) =>
  all.filter(volumeFilter(command, filters, isUsed)).map(({ name }) => name);

test.each([
  [[], ['data', 'demo_data', '0f']],
  [['dangling=true'], ['demo_data', '0f']],
  [['dangling=0'], ['data']],
  [['name=data'], ['data', 'demo_data']],
  [
    ['name=demo', 'name=0'],
    ['demo_data', '0f'],
  ],
  [['driver=local'], ['data', 'demo_data', '0f']],
  [['driver=nfs'], []],
  [['label=stage'], ['data', 'demo_data']],
  [['label=stage=test'], ['data']],
  [['label=stage', 'label=empty'], ['data']],
  [['label=empty='], ['data']],
  [['label=com.docker.compose.project=demo'], ['demo_data', '0f']],
])('ls %j', (filters, names) => {
  expect(found('ls', ...filters)).toEqual(names);
});

test.each([
  [['label!=stage'], ['0f']],
  [['all=false'], ['0f']],
  [['all=1'], ['data', 'demo_data', '0f']],
])('prune %j', (filters, names) => {
  expect(found('prune', ...filters)).toEqual(names);
});

test.each([
  ['ls', 'until=1h'],
  ['ls', 'label'],
  ['ls', 'dangling=maybe'],
  ['prune', 'name=x'],
] as const)('%s %s is refused', (command, filter) => {
  expect(() => found(command, filter)).toThrow(expect.objectContaining({ code: 'usage' }));
});

test('a volume in docker’s words', () => {
  expect(volumeEntry(all[1]!)).toEqual({
    Availability: 'N/A',
    Driver: 'local',
    Group: 'N/A',
    Labels: 'com.docker.compose.project=demo,com.docker.compose.volume=data,stage=live',
    Links: 'N/A',
    Mountpoint: '/volumes/demo_data/_data',
    Name: 'demo_data',
    Scope: 'local',
    Size: 'N/A',
    Status: 'N/A',
  });
  expect(volumeDocument(record('v', { config: { name: 'v', driver_opts: { type: 'tmpfs', device: 'x' } } }))).toEqual({
    CreatedAt: '2026-01-02T03:04:05.000Z',
    Driver: 'local',
    Labels: null,
    Mountpoint: '/volumes/v/_data',
    Name: 'v',
    Options: { type: 'tmpfs', device: 'x' },
    Scope: 'local',
  });
});
