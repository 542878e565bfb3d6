import { expect, test } from 'vitest';
import type { StoredImage } from '../../schemas/oci-image.ts';
import { imageFilter } from './filter.ts';

const image = (names: string[], created: string, Labels: Record<string, string> = {}) =>
  ({ names, config: { created, config: { Labels } } }) as StoredImage;
const old = image(['docker.io/library/redis:7'], '2020-01-01T00:00:00Z', { tier: 'db', team: 'a' });
const young = image(['localhost:5000/team/app:1', 'docker.io/acme/app:2'], new Date().toISOString(), { tier: 'web' });
const nameless = image([], '2022-01-01T00:00:00Z');
const all = { old, young, nameless };
const images = { get: () => nameless };

test.each<[filters: string[], found: string[]]>([
  [[], ['old', 'young', 'nameless']],
  [['dangling=true'], ['nameless']],
  [['dangling=false'], ['old', 'young']],
  [['reference=redis'], ['old']],
  [['reference=redis:*'], ['old']],
  [['reference=*/app'], ['young']],
  [['reference=*/*/app:1'], ['young']],
  [['reference=app'], []],
  [
    ['reference=redis', 'reference=acme/app'],
    ['old', 'young'],
  ],
  [['label=tier'], ['old', 'young']],
  [['label=tier=db'], ['old']],
  [['label=tier', 'label=team'], ['old']],
  [['before=x'], ['old']],
  [['since=x'], ['young']],
  [['until=24h'], ['old', 'nameless']],
  [['until=2021-01-01'], ['old']],
])('%j', (filters, found) => {
  const isMeant = imageFilter('ls', filters, images);
  expect(Object.entries(all).flatMap(([name, one]) => (isMeant(one) ? [name] : []))).toEqual(found);
});

test('prune knows label!, which ls does not', () => {
  expect(imageFilter('prune', ['label!=tier=db'], images)(old)).toBe(false);
  expect(imageFilter('prune', ['label!=tier=db'], images)(young)).toBe(true);
  expect(() => imageFilter('ls', ['label!=x'], images)).toThrow(expect.objectContaining({ code: 'usage' }));
});

test.each(['dangling', 'dangling=maybe', 'colour=red', 'until=soon'])('%s is refused', (filter) => {
  expect(() => imageFilter('ls', [filter], images)).toThrow(expect.objectContaining({ code: 'usage' }));
});
