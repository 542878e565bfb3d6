import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeImage } from '../fixtures/image.ts';
import { RegistryFixture } from '../fixtures/registry.ts';
import { resolveDigest } from './digest.ts';

const image = makeImage([[{ name: 'a', content: 'a' }]], { compression: 'gzip', architecture: 'amd64' });
const { signal } = new AbortController();
let registry: RegistryFixture;

beforeEach(async () => {
  registry = await RegistryFixture.start();
  registry.push('app', '1', image);
});
afterEach(() => registry[Symbol.asyncDispose]());

test('the digest a tag has, by one HEAD and no layer', async () => {
  expect(await resolveDigest(`${registry.host}/app:1`, {}, signal)).toBe(image.manifest.digest);
  expect(registry.requests.filter((line) => /blobs/.test(line))).toEqual([]);
});

test('a digest that is given is asked of nobody', async () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  expect(await resolveDigest(`${registry.host}/app@${digest}`, {}, signal)).toBe(digest);
  expect(registry.requests).toEqual([]);
});

test('a registry that names no digest, or a false one: the manifest itself tells', async () => {
  registry.faults.push((request, response) => {
    if (request.method !== 'HEAD') return false;
    response.writeHead(200, { 'docker-content-digest': 'sha256:../../etc' }).end();
    return true;
  });
  expect(await resolveDigest(`${registry.host}/app:1`, {}, signal)).toBe(image.manifest.digest);
});

test('what is not there is said by name', async () => {
  await expect(resolveDigest(`${registry.host}/none:1`, {}, signal)).rejects.toMatchObject({ code: 'image.not-found' });
});

test('a mirror that has it not is passed by', async () => {
  await using mirror = await RegistryFixture.start();
  const settings = { registries: { [registry.host]: { mirrors: [`http://${mirror.host}`] } } };
  expect(await resolveDigest(`${registry.host}/app:1`, settings, signal)).toBe(image.manifest.digest);
  expect(mirror.requests.length).toBeGreaterThan(0);
});
