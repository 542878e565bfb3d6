import { expect, test } from 'vitest';
import type { Descriptor } from '../../schemas/oci-image.ts';
import { amd64Level, choosePlatform, fits, parsePlatform, showPlatform } from './platform.ts';

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

test('the best level that the machine has, and none above', () => {
  const levels = ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'linux/amd64/v4'].map(entry);
  const chosen = (wanted: string) => choosePlatform('x', levels, parsePlatform(wanted)).digest;
  expect(chosen('linux/amd64/v1')).toBe('sha256:linux/amd64');
  expect(chosen('linux/amd64/v3')).toBe('sha256:linux/amd64/v3');
  const v2 = 'fpu cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3';
  const v3 = `${v2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave`;
  expect(['fpu', v2, v3].map((flags) => amd64Level(`processor : 0\nflags\t\t: ${flags}\n`))).toEqual([
    'v1',
    'v2',
    'v3',
  ]);
});

test('versions and features of the system do not matter', () => {
  const odd = {
    ...entry('linux/amd64'),
    platform: { os: 'linux', architecture: 'amd64', 'os.version': '9', 'os.features': ['x'] },
  };
  expect(choosePlatform('x', [odd], parsePlatform('linux/amd64'))).toBe(odd);
});

test('artifacts are not taken for images', () => {
  const { platform: _platform, ...bare } = entry('linux/amd64');
  const artifact = { ...bare, artifactType: 'application/vnd.example.sbom' };
  expect(choosePlatform('x', [artifact, entry('linux/amd64')], parsePlatform('amd64')).artifactType).toBeUndefined();
  expect(() => choosePlatform('x', [artifact], parsePlatform('amd64'))).toThrow(
    expect.objectContaining({ code: 'image.media-type', message: 'x holds artifacts alone, no container image.' }),
  );
});
