/** Layers made to do harm, each through the whole of `load`: a clear error or a harmless layer, and a store that goes on. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { file, harmless, plain, refused } from './fixtures/hostile-layers.fixture.ts';
import { dockerArchive, layoutFiles, type MadeImage, makeImage } from './fixtures/image.ts';
import { tar } from './fixtures/tar.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages, type Images } from './images.ts';

const kernel = loadKernel();
const isRoot = process.getuid?.() === 0;
let world: World;
let images: Images;
let outside: string;

beforeAll(() => {
  world = makeWorld(kernel);
  images = createImages(world.host);
  outside = join(world.dir, 'outside');
  fs.mkdirSync(outside, { recursive: true });
  fs.writeFileSync(join(outside, 'secret'), 'secret');
});
afterAll(() => world[Symbol.dispose]());

async function load(image: MadeImage, isOci = false): Promise<string> {
  const path = join(world.dir, 'archive.tar');
  const files = [...layoutFiles(image, 'hostile')].map(([name, content]) => ({ name, content }));
  fs.writeFileSync(path, isOci ? tar(files) : dockerArchive(image, ['hostile']));
  const [stored] = await images.load(path);
  return stored!.layers[0]!;
}

let round = 0;
/** Nothing outside, nothing half made, and the store takes the next image. */
async function expectIntact(): Promise<void> {
  expect(fs.readdirSync(outside)).toEqual(['secret']);
  expect(fs.statSync(join(outside, 'secret')).nlink).toBe(1);
  expect(fs.readdirSync(world.dir).sort()).toEqual(['archive.tar', 'outside', 'root']);
  expect(world.leftovers()).toEqual([]);
  const good = await load(makeImage([[file('good', { content: `${round++}` })]]));
  expect(fs.readdirSync(good)).toEqual(['good']);
}

test.runIf(isRoot).each(refused)('%s is refused as %s', async (_, code, layer) => {
  await expect(load(makeImage([layer(outside)]))).rejects.toMatchObject({ code });
  await expectIntact();
});

test.runIf(isRoot).each(harmless)('%s does no harm', async (_, layer, check) => {
  check(await load(makeImage([layer(outside)])), { outside, filesystem: kernel.filesystem });
  await expectIntact();
});

const changed = (image: MadeImage, blob: Buffer): MadeImage => {
  image.blobs.set(image.layers[0]!.digest, blob);
  return image;
};

test.runIf(isRoot).each<[string, string, () => MadeImage]>([
  [
    'a wrong digest',
    'image.digest-mismatch',
    () => {
      const image = makeImage([[file('a')]]);
      const blob = Buffer.from(image.layers[0]!.blob);
      blob[blob.length - 1]! ^= 1;
      return changed(image, blob);
    },
  ],
  [
    'a layer that is cut off',
    'image.truncated',
    () => {
      const image = makeImage([[file('a')]]);
      return changed(image, image.layers[0]!.blob.subarray(0, 40));
    },
  ],
  [
    'a wrong diff id',
    'image.digest-mismatch',
    () => makeImage([[file('a')]], { config: { rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } } }),
  ],
  [
    'more diff ids than layers',
    'image.archive',
    () =>
      makeImage([[file('a')]], {
        config: { rootfs: { type: 'layers', diff_ids: Array(2).fill(`sha256:${'0'.repeat(64)}`) } },
      }),
  ],
  ['gzip in gzip', 'image.archive', () => makeImage([gzipSync(plain, { level: 0 })])],
  ['zstd in zstd', 'image.archive', () => makeImage([zstdCompressSync(randomBytes(2000))], { compression: 'zstd' })],
])('%s is refused as %s', async (_, code, image) => {
  await expect(load(image(), true)).rejects.toMatchObject({ code });
  await expectIntact();
});

test.runIf(isRoot)(
  'a gigabyte of zeros in a megabyte is a bomb, and costs no disk',
  async () => {
    const zeros = Buffer.alloc(1500 * 2 ** 20);
    const image = makeImage([tar([{ name: 'zeros', content: zeros }])], { compression: 'zstd' });
    expect(image.layers[0]!.blob.length).toBeLessThan(2 ** 20);
    await expect(load(image, true)).rejects.toMatchObject({ code: 'image.limit' });
    await expectIntact();
  },
  60_000,
);
