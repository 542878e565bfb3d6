import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { damaged, decompressor } from './compression.ts';

const first = Buffer.alloc(300_000, 'first ');
const second = Buffer.alloc(5000, 'second ');
const both = Buffer.concat([first, second]);

/** What comes out of content pushed in pieces of `size` bytes. */
async function decode(content: Buffer, size = content.length): Promise<Buffer> {
  const decoder = decompressor(content) as Transform;
  const parts: Buffer[] = [];
  decoder.on('data', (part: Buffer) => parts.push(part));
  const ended = once(decoder, 'end');
  for (let at = 0; at < content.length; at += size) decoder.write(content.subarray(at, at + size));
  decoder.end();
  try {
    await ended;
  } catch (thrown) {
    throw damaged(thrown as Error);
  }
  return Buffer.concat(parts);
}

function skippable(size: number, variant = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + variant, 0);
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, Buffer.alloc(size, 'annotation')]);
}

const pieces = [1, 3, 7, 64, 1000, 1_000_000];

test('gzip of several members, whatever the pieces', async () => {
  const content = Buffer.concat([gzipSync(first), gzipSync(''), gzipSync(second)]);
  for (const size of pieces) expect((await decode(content, size)).equals(both), String(size)).toBe(true);
});

test('zstd of several frames with skippable ones around, as zstd:chunked has it, whatever the pieces', async () => {
  const checked = { params: { 201: 1 } };
  const frames = [zstdCompressSync(first, checked), zstdCompressSync(Buffer.alloc(0)), zstdCompressSync(second)];
  const content = Buffer.concat([skippable(9), ...frames, skippable(0, 15), skippable(2000, 14)]);
  for (const size of pieces) expect((await decode(content, size)).equals(both), String(size)).toBe(true);
});

test('frames in the thousands are one stream', async () => {
  const content = Buffer.concat(Array.from({ length: 5000 }, (_, i) => zstdCompressSync(Buffer.from(`${i}\n`))));
  expect((await decode(content)).toString()).toBe(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(''));
});

const whole = zstdCompressSync(first);

test.each([
  ['gzip cut off', gzipSync(first).subarray(0, -5), 'image.truncated'],
  [
    'gzip cut off in its second member',
    Buffer.concat([gzipSync(first), gzipSync(second).subarray(0, 20)]),
    'image.truncated',
  ],
  ['gzip with garbage behind', Buffer.concat([gzipSync(first), Buffer.from('garbage')]), 'image.archive'],
  ['gzip with a wrong checksum', Buffer.concat([gzipSync(first).subarray(0, -8), Buffer.alloc(8, 1)]), 'image.archive'],
  ['zstd cut off', whole.subarray(0, -1), 'image.truncated'],
  ['zstd cut off in its header', whole.subarray(0, 5), 'image.truncated'],
  ['zstd cut off in its second frame', Buffer.concat([whole, whole.subarray(0, 9)]), 'image.truncated'],
  ['zstd cut off in a skippable frame', Buffer.concat([whole, skippable(50).subarray(0, 20)]), 'image.truncated'],
  ['zstd with garbage behind', Buffer.concat([whole, Buffer.from('garbage')]), 'image.archive'],
  ['zstd with a reserved block', Buffer.from('28b52ffd0000070000', 'hex'), 'image.archive'],
  ['zstd with a window of gigabytes', Buffer.from('28b52ffd00a8010000', 'hex'), 'image.limit'],
  ['zstd with garbage inside', Buffer.from('28b52ffd0000450000ffffffffffffffff', 'hex'), 'image.archive'],
  ['xz', Buffer.from('fd377a585a0000', 'hex'), 'image.media-type'],
])('%s is told', async (_, content, code) => {
  await expect(decode(content)).rejects.toMatchObject({ code });
  if (code !== 'image.media-type') await expect(decode(content, 4)).rejects.toMatchObject({ code });
});
