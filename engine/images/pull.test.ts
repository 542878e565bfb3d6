import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeImage, makeIndex } from './fixtures/image.ts';
import { architecture, image, kernel, pulling } from './fixtures/pulling.fixture.ts';
import { refuse } from './fixtures/registry.ts';
import { createImages, type ImageProgress } from './images.ts';

const at = pulling();

describe.runIf(process.getuid?.() === 0)('pull', () => {
  test.each(['gzip', 'zstd', 'none'] as const)('layers with compression %s', async (compression) => {
    const made = makeImage([[{ name: 'a', content: 'lower' }], [{ name: 'b', content: 'upper' }]], {
      compression,
      architecture,
    });
    at.registry.push('app', '1', made);
    const events: ImageProgress[] = [];
    const stored = await at.pull('app:1', { onProgress: (event: ImageProgress) => events.push(event) });
    expect(stored).toMatchObject({
      names: [`${at.registry.host}/app:1`],
      id: made.config.digest,
      manifestDigest: made.manifest.digest,
      digest: made.manifest.digest,
      config: { config: { Cmd: ['/bin/true'] } },
    });
    expect(stored.layers.map((layer) => fs.readdirSync(layer))).toEqual([['b'], ['a']]);
    expect(fs.readFileSync(join(stored.layers[0]!, 'b'), 'utf8')).toBe('upper');
    for (const [digest, blob] of made.blobs) {
      expect(fs.readFileSync(join(at.world.host.layout.images, 'blobs', digest.replace(':', '/')))).toEqual(blob);
    }
    expect(events.at(-1)).toMatchObject({ detail: '2/2 layers', current: events[0]!.total, total: events[0]!.total });
    expect(at.world.leftovers()).toEqual([]);
    expect(fs.statSync(at.world.host.layout.layers).mode & 0o777).toBe(0o700);
    expect(at.images().find(`${at.registry.host}/app:1`)).toEqual(stored);
  });

  test('an index gives the platform asked for, and its digest is remembered', async () => {
    const arm = makeImage([[{ name: 'arm' }]], { architecture: 'arm64' });
    const index = makeIndex({ 'linux/arm64/v8': arm, [`linux/${architecture}`]: image, 'linux/s390x': image });
    at.registry.push('app', 'x', image);
    at.registry.push('app', 'y', arm);
    at.registry.pushDocument('app', '1', index.content, index.mediaType);
    expect(await at.pull('app:1')).toMatchObject({ id: image.config.digest, digest: index.digest });
    expect(await at.pull('app:1', { platform: 'linux/arm64' })).toMatchObject({ id: arm.config.digest });
    await expect(at.pull('app:1', { platform: 'linux/riscv64' })).rejects.toMatchObject({
      code: 'image.platform',
      hint: expect.stringContaining('linux/arm64/v8, '),
    });
    expect(await at.pull(`app@${index.digest}`, { platform: 'linux/arm64' })).toMatchObject({ id: arm.config.digest });
  });

  test("docker's schema 2 is stored in OCI's terms with the same configuration and layers", async () => {
    const docker = makeImage([[{ name: 'a' }]], { isDocker: true, architecture });
    at.registry.push('app', '1', docker);
    const stored = await at.pull('app:1');
    expect(stored).toMatchObject({ id: docker.config.digest, digest: docker.manifest.digest });
    const { manifest } = at.images().inspect(`${at.registry.host}/app:1`);
    expect(manifest.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
    expect(manifest.layers).toMatchObject([
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: docker.layers[0]!.digest },
    ]);
  });

  test('policy missing asks nobody; always asks for the digest only, until the tag moves', async () => {
    at.registry.push('app', '1', image);
    await at.pull('app:1');
    at.registry.requests = [];
    await at.pull('app:1');
    expect(at.registry.requests).toEqual([]);
    await at.pull('app:1', { policy: 'always' });
    expect(at.registry.requests).toEqual(['HEAD /v2/app/manifests/1']);
    const moved = makeImage([[{ name: 'moved' }]], { architecture });
    at.registry.push('app', '1', moved);
    const stored = await at.pull('app:1', { policy: 'always' });
    expect(stored.id).toBe(moved.config.digest);
    // The old one lost its name and stays until it is removed.
    expect(
      at
        .images()
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
    at.registry.push('app', '1', made);
    const { layers } = await at.pull('app:1');
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
    at.registry.push('app', '1', image);
    await at.pull('app:1');
    at.registry.faults.push((request, response) => {
      if (request.method === 'HEAD') refuse(response, 405, 'UNSUPPORTED', 'no HEAD');
      return request.method === 'HEAD';
    });
    expect((await at.pull('app:1', { policy: 'always' })).id).toBe(image.config.digest);
  });

  test('a digest found under a tag needs no second pull', async () => {
    at.registry.push('app', '1', image);
    await at.pull('app:1');
    at.registry.requests = [];
    expect((await at.pull(`app@${image.manifest.digest}`)).id).toBe(image.config.digest);
    expect(at.images().find(`other@${image.manifest.digest}`)).toBeUndefined();
    expect(at.registry.requests).toEqual([]);
  });

  test('many runs at once share the work', async () => {
    at.registry.push('app', '1', image);
    // With the usual patience: on a busy machine one of five waits longer for its bytes than the other tests let it.
    const one = () => createImages(at.world.host).pull(`${at.registry.host}/app:1`);
    const runs = await Promise.all(Array.from({ length: 5 }, one));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    for (const { digest } of image.layers) expect(at.registry.count(new RegExp(`GET .*${digest}`))).toBe(1);
    expect(at.images().list()).toHaveLength(1);
    expect(at.world.leftovers()).toEqual([]);
  });

  test('mirrors are asked first; where they fail the registry is asked', async () => {
    at.registry.push('app', '1', image);
    at.registry.push('cached/app', '1', image);
    const settings = (mirrors: string[]) => ({ registries: { [at.registry.host]: { mirrors } } });
    const name = `${at.registry.host}/app:1`;
    await at.images(settings([`${at.registry.host}/cached`])).pull(name);
    expect(at.registry.requests.every((request) => request.includes('/v2/cached/app/'))).toBe(true);
    await at.images().remove(name);
    at.registry.requests = [];
    await at.images(settings(['http://127.0.0.1:1', `http://${at.registry.host}/empty`])).pull(name);
    expect(at.registry.count(/empty/)).toBe(1);
    expect(at.registry.count(/v2\/app\/blobs/)).toBe(3);
  });

  test('an interrupted pull stops, says so, and leaves nothing but what came of the blob', async () => {
    at.registry.push('app', '1', image);
    const stop = new AbortController();
    at.registry.faults.push((request, response) => {
      if (!request.url?.includes(image.layers[1]!.digest)) return false;
      response.setHeader('content-length', image.layers[1]!.blob.length);
      response.write(image.layers[1]!.blob.subarray(0, 1000), () => setTimeout(() => stop.abort(), 20));
      return true;
    });
    await expect(at.pull('app:1', { signal: stop.signal })).rejects.toMatchObject({
      code: 'plan.interrupted',
      exitCode: 130,
    });
    expect(at.world.leftovers()).toEqual([expect.stringContaining('/partial/')]);
    expect(at.images().find(`${at.registry.host}/app:1`)).toBeUndefined();
  });

  test('what a killed run left is cleared by the next, what a living one writes is not', async () => {
    at.registry.push('app', '1', image);
    const { layers, images: store } = at.world.host.layout;
    for (const path of [join(store, 'ingest'), join(layers, '.new-dead/fs'), join(layers, '.new-live')])
      fs.mkdirSync(path, { recursive: true });
    fs.writeFileSync(join(store, 'ingest/dead'), 'x');
    const live = fs.openSync(join(layers, '.new-live'), fs.constants.O_DIRECTORY);
    kernel.filesystem.tryFlock(live, 'exclusive');
    await at.pull('app:1');
    expect(at.world.leftovers()).toEqual([join(layers, '.new-live')]);
    fs.closeSync(live);
  });
});
