import * as fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import type { Settings } from '../../schemas/settings.ts';
import { type MadeImage, makeImage, makeIndex, sha256 } from './fixtures/image.ts';
import { drop, type Fault, RegistryFixture, refuse, times } from './fixtures/registry.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages, type ImageProgress } from './images.ts';

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

describe.runIf(process.getuid?.() === 0)('pull', () => {
  test.each(['gzip', 'zstd', 'none'] as const)('layers with compression %s', async (compression) => {
    const made = makeImage([[{ name: 'a', content: 'lower' }], [{ name: 'b', content: 'upper' }]], {
      compression,
      architecture,
    });
    registry.push('app', '1', made);
    const events: ImageProgress[] = [];
    const stored = await pull('app:1', { onProgress: (event: ImageProgress) => events.push(event) });
    expect(stored).toMatchObject({
      names: [`${registry.host}/app:1`],
      id: made.config.digest,
      manifestDigest: made.manifest.digest,
      digest: made.manifest.digest,
      config: { config: { Cmd: ['/bin/true'] } },
    });
    expect(stored.layers.map((layer) => fs.readdirSync(layer))).toEqual([['b'], ['a']]);
    expect(fs.readFileSync(join(stored.layers[0]!, 'b'), 'utf8')).toBe('upper');
    for (const [digest, blob] of made.blobs) {
      expect(fs.readFileSync(join(world.host.layout.images, 'blobs', digest.replace(':', '/')))).toEqual(blob);
    }
    expect(events.at(-1)).toMatchObject({ detail: '2/2 layers', current: events[0]!.total, total: events[0]!.total });
    expect(world.leftovers()).toEqual([]);
    expect(fs.statSync(world.host.layout.layers).mode & 0o777).toBe(0o700);
    expect(images().find(`${registry.host}/app:1`)).toEqual(stored);
  });

  test('an index gives the platform asked for, and its digest is remembered', async () => {
    const arm = makeImage([[{ name: 'arm' }]], { architecture: 'arm64' });
    const index = makeIndex({ 'linux/arm64/v8': arm, [`linux/${architecture}`]: image, 'linux/s390x': image });
    registry.push('app', 'x', image);
    registry.push('app', 'y', arm);
    registry.pushDocument('app', '1', index.content, index.mediaType);
    expect(await pull('app:1')).toMatchObject({ id: image.config.digest, digest: index.digest });
    expect(await pull('app:1', { platform: 'linux/arm64' })).toMatchObject({ id: arm.config.digest });
    await expect(pull('app:1', { platform: 'linux/riscv64' })).rejects.toMatchObject({
      code: 'image.platform',
      hint: expect.stringContaining('linux/arm64/v8, '),
    });
    expect(await pull(`app@${index.digest}`, { platform: 'linux/arm64' })).toMatchObject({ id: arm.config.digest });
  });

  test("docker's schema 2 is stored in OCI's terms with the same configuration and layers", async () => {
    const docker = makeImage([[{ name: 'a' }]], { isDocker: true, architecture });
    registry.push('app', '1', docker);
    const stored = await pull('app:1');
    expect(stored).toMatchObject({ id: docker.config.digest, digest: docker.manifest.digest });
    const { manifest } = images().inspect(`${registry.host}/app:1`);
    expect(manifest.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
    expect(manifest.layers).toMatchObject([
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: docker.layers[0]!.digest },
    ]);
  });

  test('policy missing asks nobody; always asks for the digest only, until the tag moves', async () => {
    registry.push('app', '1', image);
    await pull('app:1');
    registry.requests = [];
    await pull('app:1');
    expect(registry.requests).toEqual([]);
    await pull('app:1', { policy: 'always' });
    expect(registry.requests).toEqual(['HEAD /v2/app/manifests/1']);
    const moved = makeImage([[{ name: 'moved' }]], { architecture });
    registry.push('app', '1', moved);
    const stored = await pull('app:1', { policy: 'always' });
    expect(stored.id).toBe(moved.config.digest);
    // The old one lost its name and stays until it is removed.
    expect(
      images()
        .list()
        .map(({ names, id }) => [names.length, id]),
    ).toEqual([
      [1, moved.config.digest],
      [0, image.config.digest],
    ]);
  });

  test('overlayfs sees the image as it was made: whiteouts and opaque directories hide what lies below', async () => {
    const made = makeImage([
      [
        { name: 'd/' },
        { name: 'd/a', content: 'a' },
        { name: 'd/b', content: 'b' },
        { name: 'o/' },
        { name: 'o/lower' },
        { name: 'r/' },
        { name: 'r/lower' },
      ],
      [
        { name: 'd/' },
        { name: 'd/.wh.a' },
        { name: 'o/' },
        { name: 'o/.wh..wh..opq' },
        { name: 'o/upper' },
        { name: '.wh.r' },
        { name: 'r/' },
        { name: 'r/new' },
      ],
      [{ name: 'd/' }, { name: 'd/c', type: '2', linkName: 'b' }],
    ]);
    registry.push('app', '1', made);
    const { layers } = await pull('app:1');
    const fds = layers.map((path) => fs.openSync(path, fs.constants.O_DIRECTORY));
    const view = kernel.filesystem.overlayView(fds);
    const list = (path: string) => {
      const fd = kernel.filesystem.openat2(view, path, { flags: fs.constants.O_DIRECTORY });
      const names = kernel.filesystem.readdir(fd).sort();
      fs.closeSync(fd);
      return names;
    };
    expect([list('.'), list('d'), list('o'), list('r')]).toEqual([['d', 'o', 'r'], ['b', 'c'], ['upper'], ['new']]);
    for (const fd of [view, ...fds]) fs.closeSync(fd);
  });

  test('a registry that knows no HEAD is asked for the manifest', async () => {
    registry.push('app', '1', image);
    await pull('app:1');
    registry.faults.push((request, response) => {
      if (request.method === 'HEAD') refuse(response, 405, 'UNSUPPORTED', 'no HEAD');
      return request.method === 'HEAD';
    });
    expect((await pull('app:1', { policy: 'always' })).id).toBe(image.config.digest);
  });

  test('a digest found under a tag needs no second pull', async () => {
    registry.push('app', '1', image);
    await pull('app:1');
    registry.requests = [];
    expect((await pull(`app@${image.manifest.digest}`)).id).toBe(image.config.digest);
    expect(images().find(`other@${image.manifest.digest}`)).toBeUndefined();
    expect(registry.requests).toEqual([]);
  });

  test('many runs at once share the work', async () => {
    registry.push('app', '1', image);
    // With the usual patience: on a busy machine one of five waits longer for its bytes than the other tests let it.
    const one = () => createImages(world.host).pull(`${registry.host}/app:1`);
    const runs = await Promise.all(Array.from({ length: 5 }, one));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    for (const { digest } of image.layers) expect(registry.count(new RegExp(`GET .*${digest}`))).toBe(1);
    expect(images().list()).toHaveLength(1);
    expect(world.leftovers()).toEqual([]);
  });

  test('mirrors are asked first; where they fail the registry is asked', async () => {
    registry.push('app', '1', image);
    registry.push('cached/app', '1', image);
    const settings = (mirrors: string[]) => ({ registries: { [registry.host]: { mirrors } } });
    const name = `${registry.host}/app:1`;
    await images(settings([`${registry.host}/cached`])).pull(name);
    expect(registry.requests.every((request) => request.includes('/v2/cached/app/'))).toBe(true);
    await images().remove(name);
    registry.requests = [];
    await images(settings(['http://127.0.0.1:1', `http://${registry.host}/empty`])).pull(name);
    expect(registry.count(/empty/)).toBe(1);
    expect(registry.count(/v2\/app\/blobs/)).toBe(3);
  });

  test('an interrupted pull stops, says so, and leaves nothing but what came of the blob', async () => {
    registry.push('app', '1', image);
    const stop = new AbortController();
    registry.faults.push((request, response) => {
      if (!request.url?.includes(image.layers[1]!.digest)) return false;
      response.setHeader('content-length', image.layers[1]!.blob.length);
      response.write(image.layers[1]!.blob.subarray(0, 1000), () => setTimeout(() => stop.abort(), 20));
      return true;
    });
    await expect(pull('app:1', { signal: stop.signal })).rejects.toMatchObject({
      code: 'plan.interrupted',
      exitCode: 130,
    });
    expect(world.leftovers()).toEqual([expect.stringContaining('/partial/')]);
    expect(images().find(`${registry.host}/app:1`)).toBeUndefined();
  });

  test('what a killed run left is cleared by the next, what a living one writes is not', async () => {
    registry.push('app', '1', image);
    const { layers, images: store } = world.host.layout;
    for (const path of [join(store, 'ingest'), join(layers, '.new-dead/fs'), join(layers, '.new-live')])
      fs.mkdirSync(path, { recursive: true });
    fs.writeFileSync(join(store, 'ingest/dead'), 'x');
    const live = fs.openSync(join(layers, '.new-live'), fs.constants.O_DIRECTORY);
    kernel.filesystem.tryFlock(live, 'exclusive');
    await pull('app:1');
    expect(world.leftovers()).toEqual([join(layers, '.new-live')]);
    fs.closeSync(live);
  });
});

const layer = image.layers[1]!;
const blobs = /GET .*\/blobs\//;
const manifests = /\/manifests\//;
const layerUrl = new RegExp(`GET .*${layer.digest}`);
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    for (const [key, value] of Object.entries(headers)) response.setHeader(key, value);
    refuse(response, code, 'SAID', 'so it said');
  };

describe.runIf(process.getuid?.() === 0)('faults that pass', () => {
  test.each<[string, Fault]>([
    ['500 twice', times(2, manifests, status(500))],
    ['503 for a blob', times(2, blobs, status(503))],
    ['429 with Retry-After', times(1, manifests, status(429, { 'retry-after': '1' }))],
    ['a dropped connection', times(2, manifests, (response) => response.destroy())],
    ['a layer cut twice', times(2, layerUrl, drop(layer.blob, 100_000))],
    [
      'a layer that stalls',
      times(1, layerUrl, (response) => response.writeHead(200).write(layer.blob.subarray(0, 70_000))),
    ],
    ['a layer that ends early, as if in order', times(2, layerUrl, endEarly(layer.blob, 100_000))],
    [
      'a registry whose ranges begin earlier than asked for',
      (request, response) => {
        if (!layerUrl.test(`${request.method} ${request.url}`) || !request.headers.range) return false;
        const last = layer.blob.length - 1;
        response.writeHead(206, { 'content-range': `bytes 50000-${last}/${last + 1}` });
        response.end(layer.blob.subarray(50_000));
        return true;
      },
    ],
    ['a registry that never answers at first', times(1, manifests, () => {})],
  ])('%s', async (name, fault) => {
    registry.push('app', '1', image);
    if (/ranges/.test(name)) registry.faults.push(times(1, layerUrl, drop(layer.blob, 100_000)));
    registry.faults.unshift(fault);
    const stored = await pull('app:1');
    expect(fs.readFileSync(join(stored.layers[0]!, 'blob'))).toEqual(big);
  });

  test('a cut layer is taken up where it broke', async () => {
    registry.push('app', '1', image);
    const ranges: unknown[] = [];
    registry.faults.push(
      (request) => {
        if (request.url?.includes(layer.digest)) ranges.push(request.headers.range);
        return false;
      },
      times(1, layerUrl, drop(layer.blob, 100_000)),
    );
    await pull('app:1');
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
  });
});

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

/** Sends the first `bytes` of what is asked for, and ends the answer as if that was all. */
function endEarly(content: Buffer, bytes: number): Parameters<typeof times>[2] {
  return (response, request) => {
    const from = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0) response.writeHead(206, { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` });
    response.end(content.subarray(from, from + bytes));
  };
}

/** An image whose only layer is transported as `blob`. */
function withLayer(blob: Buffer): MadeImage {
  const digest = sha256(blob);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const made = makeImage([[]], { manifest: { layers: [{ mediaType, digest, size: blob.length }] } });
  made.blobs.set(digest, blob);
  return made;
}
