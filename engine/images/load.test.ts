import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { dockerArchive, layoutFiles, makeImage } from './fixtures/image.ts';
import { type Entry, tar } from './fixtures/tar.ts';
import { makeWorld, useImage, type World } from './fixtures/world.ts';
import { createImages } from './images.ts';

const kernel = loadKernel();
let world: World;
beforeEach(() => {
  world = makeWorld(kernel);
});
afterEach(() => world[Symbol.dispose]());

const image = makeImage([[{ name: 'a', content: 'lower' }], [{ name: 'b', content: 'upper' }]]);
const images = () => createImages(world.host);
const asTar = (files: Map<string, Buffer>) => tar([...files].map(([name, content]) => ({ name, content })));

function write(name: string, content: Buffer): string {
  const path = join(world.dir, name);
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, content);
  return path;
}

describe.runIf(process.getuid?.() === 0)('load', () => {
  test('a pipe in a layout is no piece of it, and is not waited for', async () => {
    for (const [name, content] of layoutFiles(image)) write(`piped/${name}`, content);
    const layer = join(world.dir, 'piped/blobs', image.layers[0]!.digest.replace(':', '/'));
    fs.rmSync(layer);
    execFileSync('mkfifo', [layer]);
    await expect(images().load(join(world.dir, 'piped'))).rejects.toMatchObject({ code: 'image.archive' });
  });

  test.each<[string, (content: Buffer) => Buffer]>([
    ['plain', (content) => content],
    ['gzip', (content) => gzipSync(content)],
    ['zstd', (content) => zstdCompressSync(content)],
  ])('an archive of docker save, %s', async (_, compress) => {
    const path = write('image.tar', compress(dockerArchive(image, ['app:1', 'team/app:2'])));
    const [stored, ...more] = await images().load(path);
    expect(more).toEqual([]);
    expect(stored).toMatchObject({
      names: ['docker.io/library/app:1', 'docker.io/team/app:2'],
      id: image.config.digest,
    });
    expect(stored!.layers.map((layer) => fs.readdirSync(layer))).toEqual([['b'], ['a']]);
    expect(images().find('team/app:2')).toEqual(stored);
    expect(
      images()
        .inspect('app:1')
        .manifest.layers.map(({ digest }) => digest),
    ).toEqual(image.layers.map(({ diffId }) => diffId));
    expect(world.leftovers()).toEqual([]);
  });

  test('from a stream, in small pieces, compressed and not', async () => {
    for (const content of [dockerArchive(image, ['app:1']), gzipSync(dockerArchive(image, ['app:1']))]) {
      const pieces = Array.from({ length: Math.ceil(content.length / 3) }, (_, at) =>
        content.subarray(at * 3, at * 3 + 3),
      );
      const [stored] = await images().load(Readable.from(pieces));
      expect(stored!.id).toBe(image.config.digest);
    }
  });

  test('an OCI layout as a tar and as a folder', async () => {
    const files = layoutFiles(image, 'registry.example.com/app:1');
    const [first] = await images().load(write('layout.tar', asTar(files)));
    for (const [name, content] of files) write(`layout/${name}`, content);
    const [second] = await images().load(join(world.dir, 'layout'));
    expect(first).toEqual(second);
    expect(first).toMatchObject({ names: ['registry.example.com/app:1'], manifestDigest: image.manifest.digest });
  });

  test('an image that has other names already is answered by those of the archive', async () => {
    await images().load(write('x.tar', dockerArchive(image, ['app:1'])));
    await images().load(write('x.tar', dockerArchive(image, ['app:2'])));
    const [again] = await images().load(write('x.tar', dockerArchive(image, ['app:1'])));
    expect(again!.names).toEqual(['docker.io/library/app:1', 'docker.io/library/app:2']);
  });

  test('a nameless image is found by its id, and named by a later load', async () => {
    const [stored] = await images().load(write('x.tar', dockerArchive(image, null)));
    expect(stored!.names).toEqual([]);
    expect(images().get(image.config.digest.slice(7, 19)).id).toBe(image.config.digest);
    await images().load(write('x.tar', dockerArchive(image, ['app'])));
    expect(
      images()
        .list()
        .map(({ names }) => names),
    ).toEqual([['docker.io/library/app:latest']]);
  });

  test('layers that old archives link to', async () => {
    const archive = tar([
      { name: 'shared/layer.tar', content: image.layers[0]!.plain },
      { name: 'one/layer.tar', type: '2', linkName: '../shared/layer.tar' },
      { name: 'two/layer.tar', content: image.layers[1]!.plain },
      { name: 'c.json', content: image.config.content },
      {
        name: 'manifest.json',
        content: JSON.stringify([
          { Config: 'c.json', RepoTags: ['app:1'], Layers: ['one/layer.tar', 'two/layer.tar'] },
        ]),
      },
    ]);
    expect((await images().load(write('x.tar', archive)))[0]!.layers).toHaveLength(2);
  });

  const without = (part: string) => asTar(new Map([...layoutFiles(image)].filter(([name]) => !name.includes(part))));
  const changed = (part: string) =>
    asTar(
      new Map(
        [...layoutFiles(image)].map(([name, content]) => [
          name,
          name.includes(part) ? Buffer.alloc(content.length, 32) : content,
        ]),
      ),
    );
  const hex = (digest: string) => digest.slice(7);
  const only = (...entries: Entry[]) => tar(entries);
  test.each<[string, string, Buffer]>([
    ['a file that is no tar', 'image.archive', Buffer.alloc(4096, 'x')],
    ['a tar without an image', 'image.archive', only({ name: 'etc/passwd', content: 'x' })],
    ['an empty list of images', 'image.archive', only({ name: 'manifest.json', content: '[]' })],
    ['a malformed list', 'image.archive', only({ name: 'manifest.json', content: '{"a":1}' })],
    ['a missing layer', 'image.archive', without(hex(image.layers[0]!.digest))],
    ['a changed layer', 'image.digest-mismatch', changed(hex(image.layers[1]!.digest))],
    ['a changed configuration', 'image.digest-mismatch', changed(hex(image.config.digest))],
    ['a changed manifest', 'image.digest-mismatch', changed(hex(image.manifest.digest))],
    ['a cut archive', 'image.truncated', asTar(layoutFiles(image)).subarray(0, 2000)],
    ['a cut gzip', 'image.truncated', gzipSync(asTar(layoutFiles(image))).subarray(0, 500)],
    ['a name that leads out', 'image.hostile-archive', dockerArchive(image, ['app'], [{ name: '../x', content: 'x' }])],
    [
      'a link that leads out',
      'image.hostile-archive',
      dockerArchive(image, ['app'], [{ name: 'l', type: '2', linkName: '../../etc' }]),
    ],
    [
      'a layer named outside',
      'image.hostile-archive',
      only({
        name: 'manifest.json',
        content: JSON.stringify([{ Config: '../../etc/passwd', RepoTags: null, Layers: [] }]),
      }),
    ],
    ['a hostile layer', 'image.hostile-archive', dockerArchive(makeImage([[{ name: '../out' }]]), ['app'])],
    ['a tag that is none', 'image.reference', dockerArchive(image, ['App:1'])],
  ])('%s is refused', async (_, code, content) => {
    await expect(images().load(write('x.tar', content))).rejects.toMatchObject({ code });
    expect(world.leftovers()).toEqual([]);
    expect(images().list()).toEqual([]);
  });

  test('a folder whose blobs are links to outside is refused', async () => {
    for (const [name, content] of layoutFiles(image)) write(`layout/${name}`, content);
    const blob = join(world.dir, 'layout/blobs', image.config.digest.replace(':', '/'));
    fs.rmSync(blob);
    fs.symlinkSync('/etc/passwd', blob);
    await expect(images().load(join(world.dir, 'layout'))).rejects.toMatchObject({ code: 'image.hostile-archive' });
  });

  test('no such file', async () => {
    await expect(images().load(join(world.dir, 'absent.tar'))).rejects.toMatchObject({
      code: 'image.archive',
      errno: 'ENOENT',
    });
  });
});

describe.runIf(process.getuid?.() === 0)('a layout as other tools leave it', () => {
  test('what they put into the store is unpacked without a registry', async () => {
    const name = 'registry.invalid/app:1';
    await images().load(write('x.tar', dockerArchive(makeImage([[{ name: 'x' }]]), ['other'])));
    const root = world.host.layout.images;
    const index = JSON.parse(fs.readFileSync(join(root, 'index.json'), 'utf8'));
    for (const [file, content] of layoutFiles(image, name)) {
      if (file === 'index.json') index.manifests.push(...JSON.parse(content.toString()).manifests);
      else if (file !== 'oci-layout') fs.writeFileSync(join(root, file), content);
    }
    fs.writeFileSync(join(root, 'index.json'), JSON.stringify(index));
    expect(images().find(name)).toBeUndefined();
    const stored = await images().pull(name);
    expect(stored).toMatchObject({ id: image.config.digest, names: [name] });
    expect(images().list()).toHaveLength(2);
    // And where only the unpacked layers are gone.
    fs.rmSync(world.host.layout.layers, { recursive: true });
    expect((await createImages(world.host).pull(name)).layers.map((layer) => fs.readdirSync(layer))).toEqual([
      ['b'],
      ['a'],
    ]);
  });
});

describe.runIf(process.getuid?.() === 0)('remove', () => {
  const other = makeImage([[{ name: 'a', content: 'lower' }], [{ name: 'c', content: 'c' }]]);

  test('names first, content with the last; what others share stays', async () => {
    await images().load(write('x.tar', dockerArchive(image, ['app:1', 'app:2'])));
    await images().load(write('y.tar', dockerArchive(other, ['other'])));
    const container = useImage(world.host, images().get('app:1'), 'demo', 'demo-web-1');
    expect(await images().remove('app:1')).toEqual({ untagged: ['docker.io/library/app:1'], deleted: [], bytes: 0 });
    await expect(images().remove('app:2')).rejects.toMatchObject({
      code: 'image.in-use',
      message: 'Image app:2 is used by container demo-web-1.',
    });
    fs.rmSync(container, { recursive: true });
    const { deleted } = await images().remove('app:2');
    expect(deleted).toHaveLength(2);
    expect(images().find('app:2')).toBeUndefined();
    expect(
      images()
        .get('other')
        .layers.map((layer) => fs.readdirSync(layer)),
    ).toEqual([['c'], ['a']]);
    await images().remove('other');
    expect(fs.readdirSync(world.host.layout.layers)).toEqual([]);
    expect(fs.readdirSync(join(world.host.layout.images, 'blobs/sha256'))).toEqual([]);
    expect(fs.readdirSync(join(world.host.layout.images, 'records'))).toEqual(['index']);
  });

  test('by id all names go', async () => {
    await images().load(write('x.tar', dockerArchive(image, ['app:1', 'app:2'])));
    const { untagged } = await images().remove(image.config.digest);
    expect(untagged).toHaveLength(2);
    expect(images().list()).toEqual([]);
  });

  test('what a command at work keeps stays, and goes when that command has ended', async () => {
    await images().load(write('x.tar', dockerArchive(image, ['app:1'])));
    const working = createImages(world.host);
    const hold = working.hold();
    await hold.use('app:1');
    await expect(images().remove('app:1')).rejects.toMatchObject({ code: 'image.in-use' });
    expect(fs.readdirSync(world.host.layout.layers)).toHaveLength(2);
    hold[Symbol.dispose]();
    expect((await images().remove('app:1')).deleted).toHaveLength(3);
    expect(fs.readdirSync(world.host.layout.layers)).toEqual([]);
  });

  test('what is not there', async () => {
    await expect(images().remove('absent')).rejects.toMatchObject({ code: 'image.not-found' });
    expect(() => images().get('sha256:'.concat('0'.repeat(64)))).toThrow(
      expect.objectContaining({ code: 'image.not-found' }),
    );
    expect(images().find('absent')).toBeUndefined();
  });
});
