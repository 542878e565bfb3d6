/** Layers made to do harm, each through the whole of `load`: a clear error or a harmless layer, and a store that goes on. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadKernel } from '../../native/index.ts';
import { dockerArchive, layoutFiles, type MadeImage, makeImage } from './fixtures/image.ts';
import { type Entry, tar } from './fixtures/tar.ts';
import { makeWorld, type World } from './fixtures/world.ts';
import { createImages, type Images } from './images.ts';

const isRoot = process.getuid?.() === 0;
let world: World;
let images: Images;
let outside: string;

beforeAll(() => {
  world = makeWorld(loadKernel());
  images = createImages(world.host);
  outside = join(world.dir, 'outside');
  fs.mkdirSync(outside, { recursive: true });
  fs.writeFileSync(join(outside, 'secret'), 'secret');
});
afterAll(() => world[Symbol.dispose]());

/** Changes the header of the last entry of `entries` and makes its checksum right again. */
function forge(entries: Entry[], change: (header: Buffer) => void): Buffer {
  const content = tar(entries);
  const size = Math.ceil(Buffer.byteLength(entries.at(-1)!.content ?? '') / 512) * 512;
  const header = content.subarray(content.length - 1024 - size - 512, content.length - 1024 - size);
  change(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return content;
}

/** GNU's number: the first bit says so, the rest is big-endian. */
const base256 = (header: Buffer, at: number, length: number, value: bigint) => {
  for (let i = at + length - 1; i >= at; i--, value >>= 8n) header[i] = Number(value & 0xffn);
  header[at] = (header[at]! & 0x7f) | 0x80;
};

const file = (name: string, more: Partial<Entry> = {}): Entry => ({ name, content: 'x', ...more });
const link = (name: string, linkName: string): Entry => ({ name, type: '2', linkName });
const hard = (name: string, linkName: string): Entry => ({ name, type: '1', linkName });
const plain = tar([file('a')]);

const refused: [string, string, () => Entry[] | Buffer][] = [
  ['a name that climbs', 'image.hostile-archive', () => [file('../out')]],
  ['a name that climbs from inside', 'image.hostile-archive', () => [file('a/b/../../../out')]],
  ['a name that is ..', 'image.hostile-archive', () => [{ name: '..', type: '5' }]],
  ['an absolute name', 'image.hostile-archive', () => [file(`${outside}/out`)]],
  ['an absolute name in pax', 'image.hostile-archive', () => [file('x', { pax: { path: `${outside}/out` } })]],
  ['a climbing name in pax', 'image.hostile-archive', () => [file('x', { pax: { path: '../../out' } })]],
  [
    'a climbing GNU long name',
    'image.hostile-archive',
    () => [{ name: 'L', type: 'L', content: '../out\0' }, file('x')],
  ],
  [
    'a climbing sparse name',
    'image.hostile-archive',
    () => [file('x', { pax: { 'GNU.sparse.name': '../out', 'GNU.sparse.size': '1', 'GNU.sparse.map': '0,1' } })],
  ],
  ['a climbing prefix', 'image.hostile-archive', () => forge([file('out')], (header) => header.write('../..', 345))],
  ['an absolute link written through', 'image.hostile-archive', () => [link('l', outside), file('l/out')]],
  ['a climbing link written through', 'image.hostile-archive', () => [link('l', '../../../..'), file('l/out')]],
  [
    'a chain of links written through',
    'image.hostile-archive',
    () => [{ name: 'd/' }, link('d/a', '../b'), link('b', 'c'), link('c', '..'), file('d/a/out')],
  ],
  ['a link through /proc', 'image.hostile-archive', () => [link('p', '/proc/self/root'), file('p/out')]],
  ['links in a circle', 'image.hostile-archive', () => [link('a', 'b'), link('b', 'a'), file('a/out')]],
  ['a directory made through a link', 'image.hostile-archive', () => [link('l', outside), { name: 'l/dir/' }]],
  [
    'a directory replaced by a link, then written through',
    'image.hostile-archive',
    () => [{ name: 'd/' }, file('d/in'), link('d', outside), file('d/out')],
  ],
  ['a hard link that climbs', 'image.hostile-archive', () => [hard('h', '../../outside/secret')]],
  ['an absolute hard link', 'image.hostile-archive', () => [hard('h', `${outside}/secret`)]],
  ['a hard link through a link', 'image.hostile-archive', () => [link('l', outside), hard('h', 'l/secret')]],
  ['a hard link to the root', 'image.archive', () => [hard('h', './')]],
  ['a hard link to nothing', 'image.archive', () => [hard('h', 'absent')]],
  ['a hard link to a directory', 'image.archive', () => [{ name: 'd/' }, hard('h', 'd')]],
  ['a whiteout of ..', 'image.hostile-archive', () => [file('d/.wh...')]],
  ['a whiteout of .', 'image.hostile-archive', () => [file('d/.wh..')]],
  ['a whiteout without a name', 'image.hostile-archive', () => [file('.wh.')]],
  ['a whiteout through a link', 'image.hostile-archive', () => [link('l', outside), file('l/.wh.secret')]],
  ['an opaque mark through a link', 'image.hostile-archive', () => [link('l', outside), file('l/.wh..wh..opq')]],
  ['a file below a whiteout', 'image.archive', () => [file('.wh.gone/file')]],
  ['a file below a file', 'image.hostile-archive', () => [file('f'), file('f/out')]],
  [
    'a file below a device',
    'image.hostile-archive',
    () => [{ name: 'n', type: '3', major: 1, minor: 3 }, file('n/out')],
  ],
  ['a device number beyond the kernel’s', 'image.archive', () => [{ name: 'n', type: '3', major: 0x1001, minor: 3 }]],
  ['a negative size', 'image.archive', () => forge([file('x')], (header) => header.fill(0xff, 124, 136))],
  ['a size beyond 2^53', 'image.archive', () => forge([file('x')], (header) => base256(header, 124, 12, 2n ** 60n))],
  ['a size of words', 'image.archive', () => forge([file('x')], (header) => header.write('many', 124))],
  ['a pax size of words', 'image.archive', () => [file('x', { pax: { size: '1e3' } })]],
  ['a size of 400 GB', 'image.limit', () => forge([file('x')], (header) => base256(header, 124, 12, 400_000_000_000n))],
  ['a size beyond the archive', 'image.truncated', () => [file('x', { size: 1_000_000 })]],
  ['an owner below zero', 'image.archive', () => forge([file('x')], (header) => header.fill(0xff, 108, 116))],
  ['an owner beyond 32 bits', 'image.archive', () => [file('x', { pax: { uid: '4294967296' } })]],
  ['a NUL in a pax path', 'image.archive', () => [file('x', { pax: { path: 'a\0/../../out' } })]],
  ['a pax record longer than its header', 'image.archive', () => [{ name: 'x', type: 'x', content: '99 path=a\n' }]],
  ['a pax record of length 0', 'image.archive', () => [{ name: 'x', type: 'x', content: '0 path=a\n' }]],
  ['a pax header of 2 MB', 'image.limit', () => [{ name: 'x', type: 'x', content: Buffer.alloc(2 ** 21, 'a') }]],
  [
    'pax headers without an end',
    'image.limit',
    () =>
      Array.from({ length: 2100 }, (_, i) => ({
        name: 'x',
        type: 'x',
        content: `529 k${i % 10}=${'v'.repeat(521)}\n`,
      })),
  ],
  [
    'global pax headers without an end',
    'image.limit',
    () =>
      Array.from({ length: 2100 }, (_, i) => [
        { name: 'g', type: 'g', content: `529 k${i % 10}=${'v'.repeat(521)}\n` },
        file('f'),
      ]).flat(),
  ],
  [
    'a GNU long name of 2 MB',
    'image.limit',
    () => [{ name: 'L', type: 'L', content: Buffer.alloc(2 ** 21, 'a') }, file('x')],
  ],
  ['a component of 256 bytes', 'image.limit', () => [file('x', { pax: { path: 'n'.repeat(256) } })]],
  ['a path of 5000 bytes', 'image.limit', () => [file('x', { pax: { path: 'nn/'.repeat(1700) } })]],
  ['directories 1000 deep', 'image.limit', () => [file('x', { pax: { path: 'd/'.repeat(1000) } })]],
  ['a link target of 5000 bytes', 'image.limit', () => [{ name: 'x', type: '2', pax: { linkpath: 'n'.repeat(5000) } }]],
  ['a link to nowhere at all', 'image.archive', () => [link('x', '')]],
  [
    'a sparse map of fractions',
    'image.archive',
    () => [file('x', { content: 'xx', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,1.5' } })],
  ],
  [
    'a sparse map that overflows',
    'image.archive',
    () => [file('x', { pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '9007199254740991,9007199254740991' } })],
  ],
  [
    'an uneven sparse map',
    'image.archive',
    () => [file('x', { pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0' } })],
  ],
  [
    'a sparse file of 400 GB',
    'image.limit',
    () => [file('x', { pax: { 'GNU.sparse.size': '400000000000', 'GNU.sparse.map': '0,1' } })],
  ],
  [
    'an attribute larger than Linux takes',
    'image.limit',
    () => [file('x', { pax: { 'SCHILY.xattr.user.big': Buffer.alloc(70_000, 'v') } })],
  ],
  [
    'an attribute with a name too long',
    'image.limit',
    () => [file('x', { pax: { [`SCHILY.xattr.user.${'n'.repeat(300)}`]: 'v' } })],
  ],
  ['an entry of unknown type', 'image.archive', () => [file('x', { type: 'V' })]],
  ['a wrong checksum', 'image.archive', () => Buffer.concat([Buffer.from('b'), plain.subarray(1)])],
  ['noise', 'image.archive', () => Buffer.alloc(4096, 'noise')],
  ['a cut in a header', 'image.truncated', () => plain.subarray(0, 300)],
  ['a cut in a file', 'image.truncated', () => tar([file('x', { content: 'x'.repeat(2000) })]).subarray(0, 1500)],
];

const harmless: [string, () => Entry[] | Buffer, (root: string) => void][] = [
  [
    'a directory made anew below its own whiteout',
    () => [file('.wh.d'), file('d/e/f')],
    (root) => expect(fs.readFileSync(join(root, 'd/e/f'), 'utf8')).toBe('x'),
  ],
  ['a name with .. inside', () => [file('a..b')], (root) => expect(fs.readdirSync(root)).toEqual(['a..b'])],
  ['an empty name', () => [file('')], (root) => expect(fs.readdirSync(root)).toEqual([])],
  ['the name /', () => [file('/', { type: '0' })], (root) => expect(fs.readdirSync(root)).toEqual([])],
  [
    'the root as a link',
    () => [{ name: './', type: '2', linkName: outside }, file('f')],
    (root) => expect(fs.readdirSync(root)).toEqual(['f']),
  ],
  [
    'links to outside that nobody walks',
    () => [link('l', outside)],
    (root) => expect(fs.readlinkSync(join(root, 'l'))).toBe(outside),
  ],
  [
    'a file instead of a link',
    () => [link('l', join(outside, 'secret')), file('l')],
    (root) => expect(fs.lstatSync(join(root, 'l')).isFile()).toBe(true),
  ],
  [
    'a hard link to a link, not to what it points to',
    () => [link('l', join(outside, 'secret')), hard('h', 'l')],
    (root) => expect(fs.lstatSync(join(root, 'h')).isSymbolicLink()).toBe(true),
  ],
  [
    'a name twice',
    () => [file('f', { content: '1' }), file('f', { content: '2' })],
    (root) => expect(fs.readFileSync(join(root, 'f'), 'utf8')).toBe('2'),
  ],
  [
    'a hard link to itself',
    () => [file('f'), hard('f', './f')],
    (root) => expect(fs.readFileSync(join(root, 'f'), 'utf8')).toBe('x'),
  ],
  [
    'an opaque mark that is a directory',
    () => [{ name: 'd/' }, { name: 'd/.wh..wh..opq/' }, file('d/.wh..wh..opq/in')],
    (root) => expect(fs.readdirSync(join(root, 'd'))).toEqual([]),
  ],
  [
    'attributes of overlayfs',
    () => [
      { name: 'd/', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/', 'SCHILY.xattr.user.overlay.opaque': 'y' } },
    ],
    (root) => {
      const { filesystem } = loadKernel();
      const fd = fs.openSync(join(root, 'd'), fs.constants.O_DIRECTORY);
      expect(filesystem.llistxattr(fd, '').filter((name) => name.includes('overlay'))).toEqual([]);
      fs.closeSync(fd);
    },
  ],
  [
    'a device that is a whiteout to overlayfs',
    () => [{ name: 'n', type: '3', major: 0, minor: 0 }],
    (root) => expect(fs.lstatSync(join(root, 'n')).rdev).toBe(0),
  ],
  [
    'set-user-id bits, which the owner keeps',
    () => [file('s', { mode: 0o6755, uid: 5, gid: 6 })],
    (root) => expect(fs.lstatSync(join(root, 's'))).toMatchObject({ mode: 0o106755, uid: 5, gid: 6 }),
  ],
  [
    'times beyond 2262',
    () => forge([file('t')], (header) => base256(header, 136, 12, 2n ** 50n)),
    (root) => expect(fs.lstatSync(join(root, 't')).mtime.getTime()).toBeGreaterThan(Date.UTC(2100, 0)),
  ],
  [
    'a flood of pipes',
    () => Array.from({ length: 3000 }, (_, i) => ({ name: `p${i}`, type: '6' })),
    (root) => expect(fs.readdirSync(root)).toHaveLength(3000),
  ],
  [
    'bytes behind the end',
    () => Buffer.concat([plain, Buffer.alloc(5000, 'trailing')]),
    (root) => expect(fs.readdirSync(root)).toEqual(['a']),
  ],
];

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
  await expect(load(makeImage([layer()]))).rejects.toMatchObject({ code });
  await expectIntact();
});

test.runIf(isRoot).each(harmless)('%s does no harm', async (_, layer, check) => {
  check(await load(makeImage([layer()])));
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
