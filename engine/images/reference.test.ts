import { expect, test } from 'vitest';
import { familiar, parseReference } from './reference.ts';

const hex = 'a'.repeat(64);

test.each([
  ['redis', 'docker.io/library/redis:latest'],
  ['redis:7-alpine', 'docker.io/library/redis:7-alpine'],
  ['bitnami/redis', 'docker.io/bitnami/redis:latest'],
  ['docker.io/redis', 'docker.io/library/redis:latest'],
  ['index.docker.io/library/redis:7', 'docker.io/library/redis:7'],
  ['localhost/redis', 'localhost/redis:latest'],
  ['localhost:5000/redis', 'localhost:5000/redis:latest'],
  ['[::1]:5000/a/b:c', '[::1]:5000/a/b:c'],
  ['ghcr.io/Own', null],
  ['Host/own', 'Host/own:latest'],
  ['registry.example.com/a/b/c__d/e-f.g:V1_x', 'registry.example.com/a/b/c__d/e-f.g:V1_x'],
  [`redis@sha256:${hex}`, `docker.io/library/redis@sha256:${hex}`],
  [`redis:7@sha256:${hex}`, `docker.io/library/redis@sha256:${hex}`],
  ['', null],
  [':7', null],
  ['redis:', null],
  ['redis:a b', null],
  ['Redis', null],
  ['redis@sha256:12', null],
  ['redis@md5:12', null],
  ['a//b', null],
  ['../etc', null],
  ['localhost:99999/x', null],
  ['exa_mple.com/x', null],
  ['localhost:5000/', null],
  [hex, null],
  [`a/${'b'.repeat(250)}`, null],
])('%s → %s', (text, expected) => {
  if (expected === null) {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'image.reference' }));
  } else {
    expect(parseReference(text).name).toBe(expected);
    expect(parseReference(expected).name).toBe(expected);
  }
});

test('upper case gets a suggestion', () => {
  expect(() => parseReference('Redis:7')).toThrow(expect.objectContaining({ hint: 'Did you mean "redis:7"?' }));
});

test.each([
  ['docker.io/library/redis:7', 'redis:7'],
  ['docker.io/bitnami/redis:7', 'bitnami/redis:7'],
  ['ghcr.io/a/b:c', 'ghcr.io/a/b:c'],
])('%s is shown as %s', (name, short) => {
  expect(familiar(name)).toBe(short);
});
