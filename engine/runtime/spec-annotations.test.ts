import { expect, test } from 'vitest';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import { imageAnnotations } from './spec-annotations.ts';

const image: ImageConfig = {
  os: 'linux',
  architecture: 'arm64',
  rootfs: { type: 'layers', diff_ids: [] },
};
const known = {
  'org.opencontainers.image.os': 'linux',
  'org.opencontainers.image.architecture': 'arm64',
};

test.each<[string, Partial<ImageConfig>, Record<string, string>]>([
  ['nothing more', {}, {}],
  ['null', { config: null }, {}],
  ['a variant', { variant: 'v8' }, { 'org.opencontainers.image.variant': 'v8' }],
  [
    'author and date',
    { author: 'A <a@example.com>', created: '2015-10-31T22:22:56.015925234Z' },
    {
      'org.opencontainers.image.author': 'A <a@example.com>',
      'org.opencontainers.image.created': '2015-10-31T22:22:56.015925234Z',
    },
  ],
  [
    'version and features of the system',
    { 'os.version': '6.1', 'os.features': ['a', 'b'] },
    { 'org.opencontainers.image.os.version': '6.1', 'org.opencontainers.image.os.features': 'a,b' },
  ],
  ['a stop signal', { config: { StopSignal: 'SIGQUIT' } }, { 'org.opencontainers.image.stopSignal': 'SIGQUIT' }],
  [
    'ports, in the order of the image',
    { config: { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8080': {} } } },
    { 'org.opencontainers.image.exposedPorts': expect.stringMatching(/^(?=.*80\/tcp)(?=.*53\/udp)(?=.*8080)/) },
  ],
  ['labels', { config: { Labels: { a: '', 'b.c': 'd' } } }, { a: '', 'b.c': 'd' }],
  [
    'a label that says what a field says',
    { created: '2015-10-31T22:22:56Z', config: { Labels: { 'org.opencontainers.image.created': 'never' } } },
    { 'org.opencontainers.image.created': 'never' },
  ],
  ['a label without a name', { config: { Labels: { '': 'x' } } }, {}],
  ['fields of other types', { author: 7, 'os.features': 'x' }, {}],
])('annotations of an image with %s', (_, more, annotations) => {
  expect(imageAnnotations({ ...image, ...more })).toEqual({ ...known, ...annotations });
});
