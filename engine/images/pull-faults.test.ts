import * as fs from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type MadeImage, makeImage, makeIndex, sha256 } from './fixtures/image.ts';
import { image, layer, layerUrl, manifests, pulling, status } from './fixtures/pulling.fixture.ts';
import { drop, times } from './fixtures/registry.ts';

const at = pulling();

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
      () => at.registry.faults.push(always(manifests, status(401))),
    ],
    ['403', 'image.registry-refused', /denies access/, () => at.registry.faults.push(always(manifests, status(403)))],
    ['404', 'image.not-found', /has no .*so it said/, () => at.registry.faults.push(always(manifests, status(404)))],
    ['404 for a blob', 'image.not-found', /has no blob/, () => at.registry.faults.push(always(layerUrl, status(404)))],
    [
      '429',
      'image.registry-refused',
      /too many requests/,
      () => at.registry.faults.push(always(manifests, status(429))),
    ],
    [
      '429 for an hour',
      'image.registry-refused',
      /too many requests/,
      () => at.registry.faults.push(always(manifests, status(429, { 'retry-after': '3600' }))),
    ],
    ['500', 'image.registry-refused', /answered 500/, () => at.registry.faults.push(always(manifests, status(500)))],
    ['418', 'image.registry-protocol', /answered 418/, () => at.registry.faults.push(always(manifests, status(418)))],
    [
      'drops',
      'image.registry-unreachable',
      /connection was dropped/,
      () => at.registry.faults.push(always(manifests, (r) => r.destroy())),
    ],
    [
      'silence',
      'image.registry-unreachable',
      /stopped sending/,
      () => at.registry.faults.push(always(manifests, () => {})),
    ],
    [
      'a wrong digest',
      'image.digest-mismatch',
      /announced as sha256/,
      () => at.registry.corrupt(layer.digest, flipped),
    ],
    ['a layer that is too short', 'image.truncated', /100000 of/, () => at.registry.corrupt(layer.digest, cut)],
    [
      'a layer that is too long',
      'image.digest-mismatch',
      /longer than/,
      () => at.registry.corrupt(layer.digest, Buffer.concat([layer.blob, layer.blob])),
    ],
    [
      'a layer cut each time',
      'image.truncated',
      /each time anew/,
      () => at.registry.faults.push(always(layerUrl, drop(layer.blob, 100_000))),
    ],
    [
      'a wrong configuration',
      'image.digest-mismatch',
      /announced as/,
      () => at.registry.corrupt(image.config.digest, Buffer.alloc(image.config.content.length)),
    ],
    [
      'a manifest that is not what its header says',
      'image.digest-mismatch',
      /announced as/,
      () =>
        at.registry.faults.push(
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
      () => at.registry.faults.push(always(manifests, (r) => r.end('<html>'))),
    ],
    [
      'an endless manifest',
      'image.registry-protocol',
      /more than/,
      () => at.registry.faults.push(always(manifests, (r) => r.end(Buffer.alloc(9 << 20)))),
    ],
    [
      'a token service that is down',
      'image.registry-unreachable',
      /cannot be reached/,
      () =>
        at.registry.faults.push(
          always(manifests, status(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' })),
        ),
    ],
  ])('%s', async (_, code, message, arrange) => {
    at.registry.push('app', '1', image);
    arrange();
    await expect(at.pull('app:1')).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    // The beginning of a blob may be right where the end is missing.
    expect(at.world.leftovers()).toEqual(code === 'image.truncated' ? [expect.stringContaining('/partial/')] : []);
    expect(at.images().find(`${at.registry.host}/app:1`)).toBeUndefined();
    // The same store takes the image once the fault is over.
    at.registry.faults = [];
    at.registry.push('app', '1', image);
    expect((await at.pull('app:1')).id).toBe(image.config.digest);
    expect(at.world.leftovers()).toEqual([]);
  });

  test.each([401, 403, 404])('%i is told at once, without another try', async (code) => {
    at.registry.faults.push(always(manifests, status(code)));
    await expect(at.pull('app:1')).rejects.toThrow();
    expect(at.registry.requests).toHaveLength(1);
  });

  test('nobody listens', async () => {
    const { host } = at.registry;
    await at.registry[Symbol.asyncDispose]();
    await expect(at.images().pull(`${host}/app`)).rejects.toMatchObject({
      code: 'image.registry-unreachable',
      message: `Registry ${host} cannot be reached for ${host}/app:latest: nothing listens there.`,
      hint: expect.stringContaining('mirror'),
    });
  });

  const bad = (what: MadeImage) => () => at.registry.push('app', '1', what);
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
          at.registry.pushDocument('app', '1', index.content, index.mediaType);
          const content = Buffer.from(
            JSON.stringify({
              schemaVersion: 2,
              manifests: [{ mediaType: index.mediaType, digest: index.digest, size: 1 }],
            }),
          );
          index = { digest: sha256(content), content, mediaType: index.mediaType };
        }
        at.registry.pushDocument('app', '1', index.content, index.mediaType);
      },
    ],
  ])('%s is refused', async (_, code, arrange) => {
    arrange();
    await expect(at.pull('app:1')).rejects.toMatchObject({ code });
    expect(at.world.leftovers()).toEqual([]);
    expect(fs.readdirSync(at.world.host.layout.layers)).toEqual([]);
    expect(at.images().list()).toEqual([]);
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
