import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StackError } from '../../schemas/errors.ts';
import { checkExpansion } from './compression.ts';
import { extracting } from './fixtures/extracting.fixture.ts';
import { type Entry, tar } from './fixtures/tar.ts';

const at = extracting();
const deep = Array.from({ length: 300 }, () => 'd').join('/');

test.each<[string, string, Entry[]]>([
  ['..', 'image.hostile-archive', [{ name: '../out', content: 'x' }]],
  ['.. inside', 'image.hostile-archive', [{ name: 'a/../../out', content: 'x' }]],
  ['an absolute path', 'image.hostile-archive', [{ name: '/tmp/out', content: 'x' }]],
  ['an absolute path in pax', 'image.hostile-archive', [{ name: 'x', pax: { path: '/tmp/out' } }]],
  [
    'a write through an absolute link',
    'image.hostile-archive',
    [
      { name: 'l', type: '2', linkName: 'OUTSIDE' },
      { name: 'l/out', content: 'x' },
    ],
  ],
  [
    'a write through a climbing link',
    'image.hostile-archive',
    [
      { name: 'l', type: '2', linkName: '..' },
      { name: 'l/out', content: 'x' },
    ],
  ],
  [
    'a write through a chain of links',
    'image.hostile-archive',
    [
      { name: 'd/' },
      { name: 'd/a', type: '2', linkName: '../l' },
      { name: 'l', type: '2', linkName: '..' },
      { name: 'd/a/out', content: 'x' },
    ],
  ],
  [
    'a directory swapped for a link',
    'image.hostile-archive',
    [
      { name: 'd/' },
      { name: 'd/first', content: 'x' },
      { name: 'd', type: '2', linkName: 'OUTSIDE' },
      { name: 'd/out', content: 'x' },
    ],
  ],
  ['a link that links to itself', 'image.hostile-archive', [{ name: 'l', type: '2', linkName: 'l' }, { name: 'l/x' }]],
  ['a hard link to outside', 'image.hostile-archive', [{ name: 'h', type: '1', linkName: '../secret' }]],
  ['a hard link to an absolute path', 'image.hostile-archive', [{ name: 'h', type: '1', linkName: 'OUTSIDE/secret' }]],
  [
    'a hard link through a link',
    'image.hostile-archive',
    [
      { name: 'l', type: '2', linkName: '..' },
      { name: 'h', type: '1', linkName: 'l/secret' },
    ],
  ],
  ['a hard link to nothing', 'image.archive', [{ name: 'h', type: '1', linkName: 'absent' }]],
  ['a whiteout of ..', 'image.hostile-archive', [{ name: 'd/.wh...' }]],
  ['a whiteout of nothing', 'image.hostile-archive', [{ name: '.wh.' }]],
  [
    'a path through a file',
    'image.hostile-archive',
    [
      { name: 'f', content: 'x' },
      { name: 'f/out', content: 'x' },
    ],
  ],
  ['a name of 256 bytes', 'image.limit', [{ name: 'x', pax: { path: 'n'.repeat(256) } }]],
  ['a path of 5000 bytes', 'image.limit', [{ name: 'x', pax: { path: 'n/'.repeat(2500) } }]],
  ['directories 300 deep', 'image.limit', [{ name: 'x', pax: { path: deep } }]],
  ['an unknown type', 'image.archive', [{ name: 'x', type: 'V' }]],
  [
    'a sparse map out of order',
    'image.archive',
    [{ name: 'x', content: 'ab', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '4,1,0,1' } }],
  ],
  [
    'a sparse map beyond the file',
    'image.archive',
    [{ name: 'x', content: 'ab', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '8,2' } }],
  ],
  [
    'a sparse file of 400 GB',
    'image.limit',
    [{ name: 'x', pax: { 'GNU.sparse.size': '400000000000', 'GNU.sparse.map': '0,0' } }],
  ],
  ['a malformed time', 'image.archive', [{ name: 'x', pax: { mtime: 'noon' } }]],
  ['an owner out of range', 'image.archive', [{ name: 'x', pax: { uid: '4294967295' } }]],
  ['a file of 400 GB', 'image.limit', [{ name: 'x', pax: { size: '400000000000' } }]],
  ['an endless pax header', 'image.limit', [{ name: 'x', type: 'x', size: 2 ** 30 }]],
])('refuses %s as %s', (_, code, entries) => {
  const outside = join(at.dir, 'outside');
  fs.mkdirSync(outside);
  fs.writeFileSync(join(at.dir, 'secret'), 'secret');
  fs.writeFileSync(join(outside, 'secret'), 'secret');
  const real = entries.map((entry) => ({
    ...entry,
    ...(entry.linkName ? { linkName: entry.linkName.replace('OUTSIDE', outside) } : {}),
  }));
  expect(() => at.extract(real)).toThrow(expect.objectContaining({ code }));
  expect(fs.readdirSync(outside)).toEqual(['secret']);
  expect(fs.readdirSync(at.dir).sort()).toEqual(['outside', 'root', 'secret']);
  expect(fs.statSync(join(at.dir, 'secret')).nlink).toBe(1);
});

test('more than 200 times its size, beyond a gigabyte, is a bomb', () => {
  expect(() => checkExpansion(1, 2 ** 30)).not.toThrow();
  expect(() => checkExpansion(10 * 2 ** 20, 2000 * 2 ** 20)).not.toThrow();
  expect(() => checkExpansion(9 * 2 ** 20, 2000 * 2 ** 20)).toThrow(expect.objectContaining({ code: 'image.limit' }));
});

test('whatever bytes are changed, nothing outside the root is, and every failure has a code', () => {
  const content = tar([
    { name: 'd/', pax: { mtime: '1.5', 'SCHILY.xattr.user.a': 'b' } },
    { name: 'd/file', content: 'x'.repeat(700) },
    { name: 'l', type: '2', linkName: '../outside' },
    { name: 'd/hard', type: '1', linkName: 'd/file' },
    { name: '.wh.gone' },
    { name: 'p', type: '6' },
    { name: 's', content: 'ab', pax: { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,1,4,1' } },
  ]);
  const outside = join(at.dir, 'outside');
  fs.mkdirSync(outside);
  const change = fc.record({
    at: fc.nat(content.length - 1),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 46, 47, 48, 50)),
  });
  const changes = fc.array(change, { minLength: 1, maxLength: 8 });
  const property = fc.property(changes, fc.integer({ min: 1, max: 2000 }), (edits, chunk) => {
    const bytes = Buffer.from(content);
    for (const { at, value } of edits) bytes[at] = value;
    for (let at = 0; at + 512 <= bytes.length; at += 512)
      if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') sign(bytes.subarray(at, at + 512));
    try {
      at.extract(bytes, chunk);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(StackError);
    }
    expect(fs.readdirSync(outside)).toEqual([]);
    expect(fs.readdirSync(at.dir).sort()).toEqual(['outside', 'root']);
    fs.rmSync(at.root, { recursive: true });
    fs.mkdirSync(at.root);
  });
  fc.assert(property, { numRuns: 300 });
});

/** Makes a changed header pass its checksum. */
function sign(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

test('a wrong checksum and a cut are told apart', () => {
  const content = tar([{ name: 'x', content: 'y'.repeat(600) }]);
  const wrong = Buffer.from(content);
  wrong[0] = 0x7a;
  expect(() => at.extract(wrong)).toThrow(expect.objectContaining({ code: 'image.archive' }));
  expect(() => at.extract(content.subarray(0, 700))).toThrow(expect.objectContaining({ code: 'image.truncated' }));
  expect(() => at.extract(content.subarray(0, 300))).toThrow(expect.objectContaining({ code: 'image.truncated' }));
});
