/** Streams of compressed archives: by zlib, or by the program whose format it is. */
import { spawn } from 'node:child_process';
import type { Readable, Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { StackError } from '../../schemas/errors.ts';

type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd';

/** Told by the first bytes; undefined for what is not compressed. */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start.toString('latin1', 0, 3) === 'BZh') return 'bzip2';
  if (start.length >= 6 && start.toString('latin1', 0, 6) === '\xfd7zXZ\0') return 'xz';
  if (start.length >= 4 && start.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  return undefined;
}

/** `ended` rejects where what came was not all, or not what was packed: a program says so only with its exit code. */
interface Decompression {
  plain: Readable;
  ended?: Promise<void>;
}

/** @param name of the archive, for errors: build.context where it is damaged, or its program is missing. */
export function decompress(source: Readable, compression: Compression | undefined, name: string): Decompression {
  const through = (transform: Transform) => {
    source.on('error', (error) => transform.destroy(error));
    return { plain: source.pipe(transform) };
  };
  if (!compression) return { plain: source };
  if (compression === 'gzip') return through(zlib.createGunzip());
  if (compression === 'zstd') return through(zlib.createZstdDecompress());
  return run(source, compression, name);
}

function run(source: Readable, compression: 'bzip2' | 'xz', name: string): Decompression {
  const child = spawn(compression, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const failed = (why: string, hint: string) => {
    const error = new StackError('build.context', { message: `${name} cannot be unpacked: ${why}.`, hint });
    reject(error);
    child.stdout.destroy(error);
  };
  ended.catch(() => {});
  child.on('error', () => {
    const hint = `Install ${compression === 'xz' ? 'xz-utils' : 'bzip2'}, or pack it with gzip or zstd.`;
    failed(`there is no program ${compression}`, hint);
  });
  child.on('exit', (code) => {
    if (code === 0) resolve();
    else failed(`${compression} says that it is damaged`, 'It is damaged, or cut off: make it again.');
  });
  child.stdin.on('error', () => {});
  child.stdout.on('close', () => child.exitCode ?? child.kill());
  source.pipe(child.stdin);
  return { plain: child.stdout, ended };
}
