import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { baseOf, diff } from './diff.ts';
import { dockerArchive, makeImage } from './fixtures/image.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { history } from './history.ts';
import { createImages, type Images } from './images.ts';
import { type ArchiveFormat, save } from './save.ts';
import { tag } from './tag.ts';

const kernel = loadKernel();
const base = [
  { name: 'etc/', mode: 0o755 },
  { name: 'etc/kept', content: 'kept' },
  { name: 'etc/changed', content: 'before' },
  { name: 'etc/gone', content: 'gone' },
  { name: 'old/', mode: 0o755 },
  { name: 'old/file', content: 'x' },
];
const lower = makeImage([base]);
const image = makeImage(
  [
    base,
    [
      { name: 'etc/changed', content: 'after!' },
      { name: 'etc/.wh.gone', content: '' },
      { name: '.wh.old', content: '' },
      { name: 'new/', mode: 0o755 },
      { name: 'new/file', content: 'n' },
    ],
  ],
  {
    config: {
      history: [
        { created: '2026-01-01T00:00:00Z', created_by: 'COPY etc /etc', comment: 'buildkit' },
        { created: '2026-01-02T00:00:00Z', created_by: 'ENV A=1', empty_layer: true },
        { created: '2026-01-03T00:00:00Z', created_by: 'RUN change' },
      ],
    },
  },
);

let world: World;
let images: Images;
beforeEach(async () => {
  world = makeWorld(kernel);
  images = createImages(world.host);
  const write = (name: string, content: Buffer) => {
    fs.writeFileSync(join(world.dir, name), content);
    return join(world.dir, name);
  };
  if (process.getuid?.() !== 0) return;
  await images.load(write('base.tar', dockerArchive(lower, ['base:1'])));
  await images.load(write('app.tar', dockerArchive(image, ['app:1', 'team/app:2'])));
});
afterEach(() => world[Symbol.dispose]());

async function saved(names: string[], format: ArchiveFormat, to = createImages(world.host)): Promise<Buffer> {
  const wanted = names.map((name) => ({
    image: to.get(name),
    names: to.get(name).names.filter((one) => one.endsWith(name)),
  }));
  const parts: Uint8Array[] = [];
  for await (const part of save(to.store, wanted, format, new AbortController().signal)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

describe.runIf(process.getuid?.() === 0)('save', () => {
  test.each<[ArchiveFormat, string, (archive: Buffer) => Buffer]>([
    ['oci-archive', 'plain', (archive) => archive],
    ['docker-archive', 'plain', (archive) => archive],
    ['docker-archive', 'gzip', gzipSync],
    ['oci-archive', 'zstd', zstdCompressSync],
  ])('%s, %s: what is loaded again has the same digests and names', async (format, _, compress) => {
    using other = makeWorld(kernel);
    const file = join(other.dir, 'saved.tar');
    fs.writeFileSync(file, compress(await saved(['app:1', 'base:1'], format)));
    const loaded = await createImages(other.host).load(file);
    for (const one of loaded) {
      const { layers: _theirs, ...theirs } = one;
      const { layers: _ours, ...ours } = images.get(one.id);
      expect(theirs).toEqual({ ...ours, names: [expect.stringMatching(/library\/(app|base):1$/)] });
    }
    expect(loaded).toHaveLength(2);
    // And once more from there: the same bytes.
    expect(await saved(['app:1', 'base:1'], format, createImages(other.host))).toEqual(
      await saved(['app:1', 'base:1'], format),
    );
  });

  test('a blob that changed is not given out, and is taken out of the store', async () => {
    const { manifest } = images.inspect('app:1');
    const { digest } = manifest.layers[1]!;
    const path = images.store.blob(digest);
    const content = fs.readFileSync(path);
    content[600]! ^= 1;
    fs.writeFileSync(path, content);
    await expect(saved(['app:1'], 'oci-archive')).rejects.toMatchObject({
      code: 'image.store',
      message: expect.stringContaining(digest),
      hint: expect.stringContaining('stack image pull app:1'),
    });
    expect(fs.existsSync(path)).toBe(false);
    await expect(saved(['app:1'], 'oci-archive')).rejects.toMatchObject({
      message: expect.stringContaining('missing'),
    });
  });

  test('a name more, and a name moved from one image to another', async () => {
    await tag(images.store, images.get('app:1'), 'registry.test/app:3');
    expect(images.get('registry.test/app:3').id).toBe(image.config.digest);
    expect(images.get('app:1').names).toHaveLength(3);
    await tag(images.store, images.get('app:1'), 'docker.io/library/base:1');
    expect(images.get('base:1').id).toBe(image.config.digest);
    expect(images.list().find(({ id }) => id === lower.config.digest)?.names).toEqual([]);
  });

  test('history tells each step with the layer it made', () => {
    expect(history(images.inspect('app:1'))).toMatchObject([
      { createdBy: 'RUN change', size: expect.any(Number), id: image.config.digest, names: images.get('app:1').names },
      { createdBy: 'ENV A=1', size: 0, layer: undefined, id: undefined },
      { createdBy: 'COPY etc /etc', comment: 'buildkit', layer: images.inspect('app:1').manifest.layers[0]!.digest },
    ]);
    expect(history(images.inspect('base:1'))).toMatchObject([{ createdBy: '', names: ['docker.io/library/base:1'] }]);
  });

  test('diff tells what an image adds, changes and deletes', () => {
    const [app, below] = [images.get('app:1'), images.get('base:1')];
    expect(baseOf(app, images.list())?.id).toBe(below.id);
    expect(baseOf(below, images.list())).toBeUndefined();
    const expected = ['C /etc', 'C /etc/changed', 'D /etc/gone', 'A /new', 'A /new/file', 'D /old'];
    const told = (from: typeof app, to: typeof app) =>
      diff(kernel.filesystem, from.layers, to.layers).map(({ kind, path }) => `${kind} ${path}`);
    expect(told(below, app)).toEqual(expected);
    expect(told(app, below)).toEqual(['C /etc', 'C /etc/changed', 'A /etc/gone', 'D /new', 'A /old', 'A /old/file']);
    expect(told(app, app)).toEqual([]);
  });
});
