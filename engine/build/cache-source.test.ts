import { expect, test } from 'vitest';
import type { ImageConfig, Manifest } from '../../schemas/oci-image.ts';
import { readKept, type SolvedStep } from './cache-source.ts';
import { readCaches } from './caches.ts';
import { inlineKey, inlineOf, readInline } from './inline-cache.ts';
import { readCacheConfig } from './registry-cache.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const key = 'a'.repeat(64);
const createdAt = '2026-01-01T00:00:00.000Z';
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: digest('b'), size: 7 };
const step = { diffIds: [digest('1'), digest('2')], createdAt, layers: [layer] };

test.each<[string, unknown]>([
  ['nothing', null],
  ['a layer that is no digest', { ...step, diffIds: ['../../etc'] }],
  ['a digest with more behind', { ...step, diffIds: [`${digest('1')}/..`] }],
  ['a blob whose digest is a path', { ...step, layers: [{ ...layer, digest: 'sha256:../../../x' }] }],
  ['a blob of another kind', { ...step, layers: [{ ...layer, mediaType: 'application/json' }] }],
  ['a size that is none', { ...step, layers: [{ ...layer, size: -1 }] }],
  ['layers that are no list', { ...step, layers: { length: 1 } }],
  ['a time that is none', { ...step, createdAt: 'x'.repeat(1e6) }],
])('a record of a cache with %s is none', (_, value) => {
  expect(readKept(value)).toBeUndefined();
});

test('what is more in a record is left out', () => {
  expect(readKept({ ...step, layers: [{ ...layer, urls: ['http://elsewhere'] }], more: 1 })).toEqual(step);
});

test('a cache at a registry: sound steps count, another version none', () => {
  const kept = { diffIds: step.diffIds, createdAt, layers: [0] };
  const steps = { [key]: kept, short: kept, ['b'.repeat(64)]: { ...kept, layers: [1] }, ['c'.repeat(64)]: null };
  expect([...readCacheConfig({ version: 1, steps }, [layer])]).toEqual([[key, step]]);
  expect([...readCacheConfig({ version: 1, steps: { [key]: { ...kept, layers: ['length'] } } }, [layer])]).toEqual([]);
  expect(() => readCacheConfig({ version: 2, steps }, [layer])).toThrow(/version 2/);
  expect(() => readCacheConfig({}, [layer])).toThrow(/version/);
});

test('a cache in an image comes back as it was written, and no further than its layers', () => {
  const diffIds = [digest('1'), digest('2')];
  const solved = new Map<string, SolvedStep>([
    [key, { diffIds, createdAt, base: 1 }],
    ['b'.repeat(64), { diffIds: [digest('9')], createdAt, base: 0 }],
  ]);
  const inline = inlineOf(solved, diffIds, undefined);
  expect(Object.keys(inline.steps)).toEqual([key]);
  const manifest = { layers: [{ ...layer, digest: digest('c') }, layer] } as unknown as Manifest;
  const config = { rootfs: { type: 'layers', diff_ids: diffIds }, [inlineKey]: inline } as unknown as ImageConfig;
  expect([...readInline(config, manifest)]).toEqual([[key, step]]);
  const hostile = [
    { base: 0, layers: 3 },
    { base: 2, layers: 1 },
    { base: -1, layers: 1 },
    { base: 0.5, layers: 1 },
    null,
  ];
  for (const one of hostile) {
    const poisoned = { ...config, [inlineKey]: { version: 1, steps: { [key]: one && { ...one, createdAt } } } };
    expect([...readInline(poisoned as unknown as ImageConfig, manifest)]).toEqual([]);
  }
  expect([...readInline({ ...config, [inlineKey]: { version: 7 } } as unknown as ImageConfig, manifest)]).toEqual([]);
});

test('entries of cache_from and cache_to', () => {
  const caches = readCaches(
    ['alpine:3', 'type=registry,ref=example.com/c', 'type=local,src=/x'],
    ['type=inline', 'type=registry,ref=example.com/c:2,mode=max,ignore-error=true', 'type=local,dest=/y'],
  );
  expect(caches).toEqual({
    from: [
      { type: 'registry', reference: 'docker.io/library/alpine:3' },
      { type: 'registry', reference: 'example.com/c:latest' },
      { type: 'local', directory: '/x' },
    ],
    to: [
      { type: 'registry', reference: 'example.com/c:2', isWhole: true, isOptional: true },
      { type: 'local', directory: '/y', isWhole: false, isOptional: false },
    ],
    isInline: true,
    unused: [],
  });
  const { unused } = readCaches(['type=s3,bucket=b'], ['type=registry,ref=a/b,compression=estargz,nonsense=1']);
  expect(unused.map(({ why }) => why)).toEqual([
    expect.stringMatching(/no type s3/),
    expect.stringMatching(/compression has no effect/),
    expect.stringMatching(/no option nonsense/),
  ]);
  expect(() => readCaches([], ['type=registry'])).toThrow(/needs ref=/);
  expect(() => readCaches(['type=local'])).toThrow(/needs src=/);
  expect(() => readCaches([], ['type=local,dest=/x,mode=most'])).toThrow(/min or max/);
});
