/** Compression of layers and archives, told by magic numbers: media types and file names are often wrong. */
import type { Transform } from 'node:stream';
// Whole: zstd came with Node 22.15, and a missing name would fail the import.
import * as zlib from 'node:zlib';
import { StackError } from '../../schemas/errors.ts';
import { isZstd, ZstdDecoder } from './zstd.ts';

/** Bytes needed to tell. */
export const magicLength = 4;

/** What decompresses content that starts so; null for plain content. @throws StackError `image.media-type` */
export function decompressor(start: Buffer): Transform | null {
  if (start.length < magicLength) return null;
  // Large: each piece is a turn of Node's thread pool.
  const chunkSize = 512 * 1024;
  if (start[0] === 0x1f && start[1] === 0x8b) return zlib.createGunzip({ chunkSize });
  if (isZstd(start)) {
    if (zlib.createZstdDecompress !== undefined) return new ZstdDecoder(chunkSize);
    throw new StackError('image.media-type', {
      message: `It is compressed with zstd, which Node ${process.versions.node} cannot read.`,
      hint: 'Use Node 22.15 or later.',
    });
  }
  if (start.readUInt32BE(0) === 0xfd377a58 || start.toString('latin1', 0, 3) === 'BZh') {
    throw new StackError('image.media-type', {
      message: 'It is compressed with xz or bzip2, which is not supported yet.',
      hint: 'Use gzip, zstd or no compression.',
    });
  }
  return null;
}

/** The error for a decompressor's. */
export function damaged(error: NodeJS.ErrnoException): StackError {
  if (error instanceof StackError) return error;
  if (error.code === 'ZSTD_error_frameParameter_windowTooLarge') {
    return new StackError('image.limit', {
      message: 'The compressed content needs a window of more than 128 MiB of memory to be decompressed.',
      hint: 'Compress it again without --ultra and --long.',
      cause: error,
    });
  }
  const isShort = error.code === 'Z_BUF_ERROR' || /unexpected end|truncated/i.test(error.message);
  return new StackError(isShort ? 'image.truncated' : 'image.archive', {
    message: `The compressed content is ${isShort ? 'cut off' : 'damaged'}: ${error.message}.`,
    cause: error,
  });
}

/** More than this from one compressed byte, beyond a gigabyte, is a bomb: gzip reaches 1,030, real layers about 20. */
const expansionLimit = 200;
const expansionGrace = 1024 ** 3;

/** @throws StackError `image.limit` */
export function checkExpansion(compressed: number, plain: number): void {
  if (plain <= expansionGrace || plain <= compressed * expansionLimit) return;
  throw new StackError('image.limit', {
    message: `Content expands to more than ${expansionLimit} times its size: ${compressed} bytes became ${plain}.`,
    hint: 'It is damaged or made to fill the disk; do not use it.',
  });
}
