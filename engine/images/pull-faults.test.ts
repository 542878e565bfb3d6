import * as fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { Settings } from '../../schemas/settings.ts';
import { type MadeImage, makeImage, makeIndex, sha256 } from './fixtures/image.ts';
import { drop, RegistryFixture, refuse, times } from './fixtures/registry.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages } from './images.ts';

const kernel = loadKernel();
const timing = { backoff: 5, stall: 300, longestWait: 2000 };
const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
const big = Buffer.alloc(300_000, 'content');
const image = makeImage(
  [
    [
      { name: 'bin/' },
      { name: 'bin/true', content: 'true', mode: 0o755 },
      { name: 'etc/' },
      { name: 'etc/old', content: 'o' },
    ],
    [{ name: 'etc/' }, { name: 'etc/.wh.old' }, { name: 'etc/new', content: 'n' }, { name: 'blob', content: big }],
  ],
  { compression: 'none', architecture },
);

let registry: RegistryFixture;
let world: World;

beforeEach(async () => {
  registry = await RegistryFixture.start();
  world = makeWorld(kernel);
});
afterEach(async () => {
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const images = (settings: Settings = {}) => createImages({ ...world.host, settings }, timing);
const pull = (repository: string, options = {}) => images().pull(`${registry.host}/${repository}`, options);

const layer = image.layers[1]!;
const _blobs = /GET .*\/blobs\//;
const manifests = /\/manifests\//;
const layerUrl = new RegExp(`GET .*${layer.digest}`);
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
    refuse(response, code, 'SAID', 'so it said');
  };

describe.runIf(process.getuid?.() === 0)('faults that stay', () => {
  const cut = Buffer.from(layer.blob.subarray(0, 100_000));
  const flipped = Buffer.from(layer.blob);
  flipped[1000] = 1;
  const always = (pattern: RegExp, fault: Parameters<typeof times>[2]) => times(1000, pattern, fault);
  test.each<[string, string, RegExp, () => void]>([
    [
      '401',
      'image.registry-refused',
      /wants a login.*so it said/,
      () => registry.faults.push(always(manifests, status(401))),
    ],
    ['403', 'image.registry-refused', /denies access/, () => registry.faults.push(always(manifests, status(403)))],
    ['404', 'image.not-found', /has no .*so it said/, () => registry.faults.push(always(manifests, status(404)))],
    ['404 for a blob', 'image.not-found', /has no blob/, () => registry.faults.push(always(layerUrl, status(404)))],
    ['429', 'image.registry-refused', /too many requests/, () => registry.faults.push(always(manifests, status(429)))],
    [
      '429 for an hour',
      'image.registry-refused',
      /too many requests/,
      () => registry.faults.push(always(manifests, status(429, { 'retry-after': '3600' }))),
    ],
    ['500', 'image.registry-refused', /answered 500/, () => registry.faults.push(always(manifests, status(500)))],
    ['418', 'image.registry-protocol', /answered 418/, () => registry.faults.push(always(manifests, status(418)))],
    [
      'drops',
      'image.registry-unreachable',
      /connection was dropped/,
      () => registry.faults.push(always(manifests, (r) => r.destroy())),
    ],
    [
      'silence',
      'image.registry-unreachable',
      /stopped sending/,
      () => registry.faults.push(always(manifests, () => {})),
    ],
    ['a wrong digest', 'image.digest-mismatch', /announced as sha256/, () => registry.corrupt(layer.digest, flipped)],
    ['a layer that is too short', 'image.truncated', /100000 of/, () => registry.corrupt(layer.digest, cut)],
    [
      'a layer that is too long',
      'image.digest-mismatch',
      /longer than/,
      () => registry.corrupt(layer.digest, Buffer.concat([layer.blob, layer.blob])),
    ],
    [
      'a layer cut each time',
      'image.truncated',
      /each time anew/,
      () => registry.faults.push(always(layerUrl, drop(layer.blob, 100_000))),
    ],
    [
      'a wrong configuration',
      'image.digest-mismatch',
      /announced as/,
      () => registry.corrupt(image.config.digest, Buffer.alloc(image.config.content.length)),
    ],
    [
      'a manifest that is not what its header says',
      'image.digest-mismatch',
      /announced as/,
      () =>
        registry.faults.push(
          always(manifests, (response) => {
            response.setHeader('docker-content-digest', sha256('other'));
            response.end(image.manifest.content);
          }),
        ),
    ],
    [
      'a web page',
      'image.registry-protocol',
      /not a JSON object/,
      () => registry.faults.push(always(manifests, (r) => r.end('<html>'))),
    ],
    [
      'an endless manifest',
      'image.registry-protocol',
      /more than/,
      () => registry.faults.push(always(manifests, (r) => r.end(Buffer.alloc(9 << 20)))),
    ],
    [
      'a token service that is down',
      'image.registry-unreachable',
      /cannot be reached/,
      () =>
        registry.faults.push(
          always(manifests, status(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' })),
        ),
    ],
  ])('%s', async (_, code, message, arrange) => {
    registry.push('app', '1', image);
    arrange();
    await expect(pull('app:1')).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    // The beginning of a blob may be right where the end is missing.
    expect(world.leftovers()).toEqual(code === 'image.truncated' ? [expect.stringContaining('/partial/')] : []);
    expect(images().find(`${registry.host}/app:1`)).toBeUndefined();
    // The same store takes the image once the fault is over.
    registry.faults = [];
    registry.push('app', '1', image);
    expect((await pull('app:1')).id).toBe(image.config.digest);
    expect(world.leftovers()).toEqual([]);
  });

  test.each([401, 403, 404])('%i is told at once, without another try', async (code) => {
    registry.faults.push(always(manifests, status(code)));
    await expect(pull('app:1')).rejects.toThrow();
    expect(registry.requests).toHaveLength(1);
  });

  test('nobody listens', async () => {
    const { host } = registry;
    await registry[Symbol.asyncDispose]();
    await expect(images().pull(`${host}/app`)).rejects.toMatchObject({
      code: 'image.registry-unreachable',
      message: `Registry ${host} cannot be reached for ${host}/app:latest: nothing listens there.`,
      hint: expect.stringContaining('mirror'),
    });
  });

  const bad = (what: MadeImage) => () => registry.push('app', '1', what);
  test.each<[string, string, () => void]>([
    ['a hostile layer', 'image.hostile-archive', bad(makeImage([[{ name: '../out', content: 'x' }]]))],
    ['a layer that is no tar', 'image.archive', bad(makeImage([Buffer.alloc(2048, 'no tar ')]))],
    ['a layer cut inside', 'image.truncated', bad(makeImage([image.layers[0]!.plain.subarray(0, 700)]))],
    [
      'damaged gzip',
      'image.archive',
      bad(withLayer(Buffer.concat([gzipSync('x').subarray(0, 10), Buffer.alloc(50, 0xff)]))),
    ],
    ['cut gzip', 'image.truncated', bad(withLayer(gzipSync(image.layers[1]!.plain).subarray(0, 400)))],
    [
      'another diff id',
      'image.digest-mismatch',
      bad(makeImage([[{ name: 'a' }]], { config: { rootfs: { type: 'layers', diff_ids: [sha256('z')] } } })),
    ],
    [
      'fewer diff ids than layers',
      'image.archive',
      bad(makeImage([[{ name: 'a' }]], { config: { rootfs: { type: 'layers', diff_ids: [] } } })),
    ],
    [
      'an artifact',
      'image.media-type',
      bad(
        makeImage([], {
          manifest: { config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: sha256('x'), size: 1 } },
        }),
      ),
    ],
    [
      'a strange layer type',
      'image.media-type',
      bad(makeImage([[]], { manifest: { layers: [{ mediaType: 'text/x', digest: sha256('x'), size: 1 }] } })),
    ],
    ['a malformed manifest', 'image.registry-protocol', bad(makeImage([], { manifest: { layers: 'none' } }))],
    [
      'a malformed digest',
      'image.registry-protocol',
      bad(makeImage([], { manifest: { layers: [{ mediaType: 'x', digest: 'sha256:../../etc', size: 1 }] } })),
    ],
    ['a malformed configuration', 'image.registry-protocol', bad(makeImage([], { config: { rootfs: 'none' } }))],
    ['schema 1', 'image.media-type', bad(makeImage([], { manifest: { schemaVersion: 1 } }))],
    ['501 layers', 'image.limit', bad(makeImage(Array.from({ length: 501 }, () => [])))],
    [
      'an index that leads to itself',
      'image.registry-protocol',
      () => {
        const inner = makeIndex({});
        let index = inner;
        for (let depth = 0; depth < 5; depth++) {
          registry.pushDocument('app', '1', index.content, index.mediaType);
          const content = Buffer.from(
            JSON.stringify({
              schemaVersion: 2,
              manifests: [{ mediaType: index.mediaType, digest: index.digest, size: 1 }],
            }),
          );
          index = { digest: sha256(content), content, mediaType: index.mediaType };
        }
        registry.pushDocument('app', '1', index.content, index.mediaType);
      },
    ],
  ])('%s is refused', async (_, code, arrange) => {
    arrange();
    await expect(pull('app:1')).rejects.toMatchObject({ code });
    expect(world.leftovers()).toEqual([]);
    expect(fs.readdirSync(world.host.layout.layers)).toEqual([]);
    expect(images().list()).toEqual([]);
  });
});

/** An image whose only layer is transported as `blob`. */
function withLayer(blob: Buffer): MadeImage {
  const digest = sha256(blob);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const made = makeImage([[]], { manifest: { layers: [{ mediaType, digest, size: blob.length }] } });
  made.blobs.set(digest, blob);
  return made;
}
