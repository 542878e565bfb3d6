import { expect, test } from 'vitest';
import type { Descriptor } from '../../schemas/oci-image.ts';
import { choosePlatform, fits, parsePlatform, showPlatform } from './platform.ts';

const entry = (text: string): Descriptor => {
  const [os, architecture, variant] = text.split('/') as [string, string, string?];
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${text}`,
    size: 1,
    platform: { os, architecture, ...(variant ? { variant } : {}) },
  };
};
const offered = ['windows/amd64', 'linux/386', 'linux/amd64', 'linux/arm/v5', 'linux/arm/v7', 'linux/arm64/v8'];

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['linux/x86_64', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64'],
  ['linux/arm64', 'linux/arm64/v8'],
  ['linux/aarch64', 'linux/arm64/v8'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/v6', 'linux/arm/v5'],
  ['linux/arm/v8', 'linux/arm/v7'],
])('%s takes %s', (wanted, expected) => {
  expect(choosePlatform('x', offered.map(entry), parsePlatform(wanted)).digest).toBe(`sha256:${expected}`);
});

test('no variant: the error names what there is, without attestations', () => {
  const manifests = ['linux/arm64', 'unknown/unknown'].map(entry);
  expect(() => choosePlatform('redis:7', manifests, parsePlatform('linux/s390x'))).toThrow(
    expect.objectContaining({
      code: 'image.platform',
      message: 'Image redis:7 has no variant for linux/s390x.',
      hint: 'It offers linux/arm64; ask for one with `platform:`.',
    }),
  );
});

test('a higher level than asked for does not fit', () => {
  expect(fits(parsePlatform('linux/amd64'), { os: 'linux', architecture: 'amd64', variant: 'v3' })).toBe(false);
});

test('a malformed platform is refused', () => {
  expect(() => parsePlatform('linux/amd 64')).toThrow(expect.objectContaining({ code: 'image.platform' }));
  expect(showPlatform(parsePlatform('linux/arm'))).toBe('linux/arm/v7');
});
