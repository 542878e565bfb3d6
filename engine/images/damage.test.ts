/** Content that was torn, lost or did not fit: told, and mended by the next command. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { dockerArchive, makeImage } from './fixtures/image.ts';
import { Processes } from './fixtures/processes.ts';
import { RegistryFixture } from './fixtures/registry.ts';
import type { Entry } from './fixtures/tar.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { fsck, repair } from './fsck.ts';
import { createImages } from './images.ts';
import { freshMark } from './marks.ts';

const kernel = loadKernel();
const files = (name: string, count = 20): Entry[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${name}/${at}`, content: `${name} ${at} `.repeat(300) }));
const image = makeImage([files('base', 100), files('middle'), files('top')]);

let registry: RegistryFixture;
let world: World;
let processes: Processes;
let name: string;

const images = () => createImages(world.host);
const check = () => fsck(images().store, world.host.layout);

beforeEach(async () => {
  registry = await RegistryFixture.start();
  world = makeWorld(kernel);
  processes = new Processes();
  registry.push('app', '1', image);
  name = `${registry.host}/app:1`;
  if (process.getuid?.() === 0) await images().pull(name);
  registry.requests = [];
});
afterEach(async () => {
  processes[Symbol.dispose]();
  world[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

describe.runIf(process.getuid?.() === 0)('damage', () => {
  test.each([
    ['cut', (path: string) => fs.truncateSync(path, 100)],
    ['empty', (path: string) => fs.truncateSync(path, 0)],
    ['gone', (path: string) => fs.rmSync(path)],
  ])('index.json is mended when it is %s', async (_, harm) => {
    harm(join(world.host.layout.images, 'index.json'));
    expect(
      images()
        .list()
        .map(({ names }) => names),
    ).toEqual([[name]]);
    expect(await check()).toEqual([]);
    JSON.parse(fs.readFileSync(join(world.host.layout.images, 'index.json'), 'utf8'));
  });

  test('without its copy too, the images are there, nameless', async () => {
    for (const file of ['index.json', 'records/index']) fs.writeFileSync(join(world.host.layout.images, file), '{');
    expect(images().list()).toMatchObject([{ names: [], id: image.config.digest }]);
    await images().pull(name);
    expect(images().list()).toMatchObject([{ names: [name] }]);
    expect(await check()).toEqual([]);
  });

  test("an image that came with docker's manifest is sound, and is left alone by a repair", async () => {
    const docker = makeImage([files('base', 100)], { isDocker: true });
    registry.push('docker', '1', docker);
    const stored = await images().pull(`${registry.host}/docker:1`);
    expect(await check()).toEqual([]);
    await repair(images().store, world.host.layout, await check());
    expect(images().get(`${registry.host}/docker:1`)).toEqual(stored);
  });

  test('a blob that changed is told, taken out, and fetched by the next pull', async () => {
    const { digest, blob } = image.layers[1]!;
    const path = images().store.blob(digest);
    const torn = Buffer.from(blob);
    torn[50]! ^= 1;
    fs.writeFileSync(path, torn);
    const found = await check();
    expect(found).toMatchObject([{ kind: 'blob-damaged', subject: digest, concerns: [name] }]);
    expect(await repair(images().store, world.host.layout, found)).toMatchObject([
      { kind: 'blob-missing', subject: digest },
    ]);
    await images().pull(name);
    expect(registry.requests.filter((request) => request.includes('blobs'))).toEqual([expect.stringContaining(digest)]);
    expect(await check()).toEqual([]);
  });

  test('a layer that was not unpacked to its end is unpacked again, from its blob', async () => {
    const { store } = images();
    const [chain] = store.record(image.manifest.digest)!.chain;
    for (const mark of ['done', freshMark()]) fs.rmSync(join(store.layer(chain!), mark), { force: true });
    fs.rmSync(join(store.layer(chain!), 'fs/base/1'));
    expect(await check()).toMatchObject([{ kind: 'layer-missing' }, { kind: 'layer-unfinished' }]);
    expect(images().find(name)).toBeUndefined();
    const again = await images().pull(name);
    expect(fs.readdirSync(join(again.layers.at(-1)!, 'base'))).toHaveLength(100);
    expect(registry.requests).toEqual([]);
    expect(await check()).toEqual([]);
  });

  test('on a full disk images can still be removed, and then pulled', async () => {
    world[Symbol.dispose]();
    const { root } = world.host.layout;
    fs.mkdirSync(root, { recursive: true });
    // Beside the small one the layer does not fit, in whatever order layers end; without it, it does.
    const big = makeImage([[{ name: 'big', content: Buffer.alloc(3_600_000, 7) }], files('noise')]);
    registry.push('big', '1', big);
    const archive = join(world.dir, 'big.tar.gz');
    fs.writeFileSync(archive, gzipSync(dockerArchive(big, ['loaded:1'])));
    const operator = join(import.meta.dirname, 'fixtures/operator.ts');
    const script = `
      mount -t tmpfs -o size=4m none "$1"
      root=$1; node=$2; operator=$3; run() { "$node" "$operator" "$root" "$@" 2>/dev/null; }
      run pull "$4" >/dev/null && echo pulled small
      run pull "$5"
      cat /dev/zero > "$root/filler" 2>/dev/null
      run rm "$4" && echo removed
      run load "$6"
      rm "$root/filler"
      run pull "$5" >/dev/null && echo pulled big
      ls -A "$root/images/ingest" "$root/images/leases"; ls -A "$root/layers" | grep '^[.]'
    `;
    const args = [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      root,
      process.execPath,
      operator,
      name,
      `${registry.host}/big:1`,
      archive,
    ];
    const { output } = await processes.run('unshare', args).ended;
    expect(output.replaceAll(`${root}/images/`, '')).toBe(
      `pulled small\nhost.disk-full No space left on the disk while adding ${registry.host}/big:1.\nremoved\nhost.disk-full No space left on the disk while reading the archive.\npulled big\ningest:\n\nleases:\n`,
    );
  }, 60_000);
});
