import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { makeImage } from './fixtures/image.ts';
import { RegistryFixture } from './fixtures/registry.ts';
import { settled } from './fixtures/settled.ts';
import { makeWorld, useImage, type World } from './fixtures/world.ts';
import { fsck } from './fsck.ts';
import { createImages, type PullOptions } from './images.ts';

const kernel = loadKernel();
const image = makeImage([
  [{ name: 'bin/true', content: 'true' }],
  [
    { name: 'bin/sh', content: 'sh' },
    { name: 'etc/passwd', content: 'root' },
  ],
]);
const blob = image.layers[0]!;
const mark = /^(.*)fresh-[-0-9a-f]{36}$/;

let registry: RegistryFixture;
let world: World;
let name: string;

beforeEach(async () => {
  registry = await RegistryFixture.start();
  registry.push('app', '1', image);
  name = `${registry.host}/app:1`;
  world = makeWorld(kernel);
});
afterEach(async () => {
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const images = () => createImages(world.host);
const pull = async (options: PullOptions = {}) => settled(world.host.layout, await images().pull(name, options));
const blobPath = () => join(world.host.layout.images, 'blobs', blob.digest.replace(':', '/'));
const records = () => join(world.host.layout.images, 'records');

/** The machine starts anew: what was marked for the last boot means nothing any more. */
function restart({ isSettled }: { isSettled: boolean }): void {
  const { layers } = world.host.layout;
  for (const dir of [records(), ...fs.readdirSync(layers).map((chain) => join(layers, chain))]) {
    for (const file of fs.readdirSync(dir)) {
      const [, start] = mark.exec(file) ?? [];
      if (start !== undefined)
        fs.renameSync(join(dir, file), join(dir, `${start}fresh-01234567-89ab-cdef-0123-456789abcdef`));
      else if (!isSettled && (file === 'done' || file.endsWith('.json'))) fs.rmSync(join(dir, file));
    }
  }
  registry.requests = [];
}

describe.runIf(process.getuid?.() === 0)('after a power cut', () => {
  test('an image that had reached the disk is there, and asks nobody', async () => {
    const stored = await pull();
    restart({ isSettled: true });
    expect(images().find(name)).toEqual(stored);
    expect(await fsck(images().store, world.host.layout)).toEqual([]);
    await pull();
    expect(registry.requests).toEqual([]);
    const marks = [records(), ...stored.layers.map((layer) => join(layer, '..'))].flatMap((dir) => fs.readdirSync(dir));
    expect(marks.filter((file) => mark.test(file) && !file.startsWith('fresh'))).toEqual([]);
  });

  test('one that had not is unpacked again from its blobs, and asks nobody', async () => {
    const stored = await pull();
    restart({ isSettled: false });
    fs.writeFileSync(join(stored.layers[1]!, 'bin/true'), '');
    expect(images().find(name)).toBeUndefined();
    await pull();
    expect(fs.readFileSync(join(stored.layers[1]!, 'bin/true'), 'utf8')).toBe('true');
    expect(images().find(name)).toEqual(stored);
    expect(registry.requests).toEqual([]);
    expect(await fsck(images().store, world.host.layout)).toEqual([]);
    expect(world.leftovers()).toEqual([]);
  });

  test.each([
    ['zeros', (length: number) => Buffer.alloc(length)],
    ['nothing', () => ''],
    ['its first half', (length: number) => blob.blob.subarray(0, length / 2)],
  ])('a blob of which %s reached the disk is fetched anew, and no other', async (_, rest) => {
    await pull();
    restart({ isSettled: false });
    fs.writeFileSync(blobPath(), rest(blob.blob.length));
    expect((await pull()).id).toBe(image.config.digest);
    expect(fs.readFileSync(blobPath())).toEqual(blob.blob);
    expect(registry.requests.filter((request) => request.includes('/blobs/'))).toEqual([
      expect.stringContaining(blob.digest),
    ]);
    expect(world.leftovers()).toEqual([]);
  });

  test('a record that is torn counts for nothing', async () => {
    const stored = await pull();
    restart({ isSettled: true });
    fs.truncateSync(join(records(), `${image.manifest.digest.slice(7)}.json`));
    expect(images().find(name)).toBeUndefined();
    await pull();
    expect(images().find(name)).toEqual(stored);
    expect(registry.requests).toEqual([]);
  });

  test('a layer that a container has stays, though nothing knows whether it is whole', async () => {
    const stored = await pull();
    useImage(world.host, stored, 'app', 'web');
    restart({ isSettled: false });
    const { collect } = await import('./collect.ts');
    await collect(images().store, world.host.layout);
    expect(stored.layers.map((layer) => fs.existsSync(layer))).toEqual([true, true]);
    await pull();
    expect(images().find(name)).toEqual(stored);
  });

  test('a layer without its marks is not believed', async () => {
    const stored = await pull();
    for (const file of fs.readdirSync(join(stored.layers[1]!, '..'))) {
      if (file !== 'fs') fs.rmSync(join(stored.layers[1]!, '..', file));
    }
    fs.rmSync(join(stored.layers[1]!, 'bin'), { recursive: true });
    expect(images().find(name)).toBeUndefined();
    await pull();
    expect(fs.readdirSync(stored.layers[1]!)).toEqual(['bin']);
  });

  test('an image that is removed while it settles leaves nothing', async () => {
    for (let round = 0; round < 10; round++) {
      await images().pull(name);
      await images().remove(name);
    }
    await pull();
    await images().remove(name);
    expect(fs.readdirSync(records())).toEqual(['index']);
    expect(fs.readdirSync(world.host.layout.layers)).toEqual([]);
    expect(world.leftovers()).toEqual([]);
  });
});
