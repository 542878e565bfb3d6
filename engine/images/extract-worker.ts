/**
 * The worker thread that turns the bytes of one layer after another into files. It decompresses, takes the digest of the plain
 * tar (the diff id) and extracts, in one pass. Fed by engine/images/extractors.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Transform } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd, KernelPort } from '../../schemas/kernel.ts';
import { Extractor } from './extract.ts';
import type { FromWorker, ToWorker, WorkerData } from './extractors.ts';
import { TarReader } from './tar.ts';

const { addon, umask } = workerData as WorkerData;
const { filesystem } = createRequire(import.meta.url)(addon) as KernelPort;
const port = parentPort!;
const tell = (message: FromWorker) => port.postMessage(message);

/** More than this from one compressed byte, in a layer above a gigabyte, is a bomb: gzip reaches 1,030, real layers 20. */
const expansionLimit = 200;
const expansionGrace = 1024 ** 3;

/** One layer on its way to disk. */
class LayerRun {
  readonly #hash = createHash('sha256');
  readonly #extractor: Extractor;
  readonly #tar: TarReader;
  readonly #root: Fd;
  #decoder: Transform | null | undefined;
  #start = Buffer.alloc(0);
  #compressed = 0;
  #plain = 0;
  #error: StackError | undefined;

  constructor(root: Fd) {
    this.#root = root;
    this.#extractor = new Extractor(filesystem, root, umask);
    this.#tar = new TarReader(this.#extractor);
  }

  take(chunk: Buffer): void {
    this.#compressed += chunk.length;
    const size = chunk.length;
    if (this.#error) return;
    if (this.#decoder === undefined) {
      this.#start = Buffer.concat([this.#start, chunk]);
      if (this.#start.length < 4) {
        tell({ type: 'taken', size });
        return;
      }
      this.#decoder = this.#decoderFor(this.#start);
      chunk = this.#start;
    }
    if (this.#decoder) {
      this.#decoder.write(chunk, () => tell({ type: 'taken', size }));
    } else {
      this.#output(chunk);
      tell({ type: 'taken', size });
    }
  }

  end(): void {
    if (this.#error) return;
    if (this.#decoder) this.#decoder.end();
    else this.#finish();
  }

  abort(): void {
    this.#error ??= new StackError('plan.interrupted', { message: 'The extraction was given up.' });
    this.#close();
  }

  #decoderFor(start: Buffer): Transform | null {
    let decoder: Transform;
    if (start[0] === 0x1f && start[1] === 0x8b) decoder = createGunzip({ chunkSize: 256 * 1024 });
    else if (start.readUInt32LE(0) === 0xfd2fb528) {
      if (!createZstdDecompress) {
        return this.#fail(
          new StackError('image.media-type', {
            message: `The layer is compressed with zstd, which Node ${process.versions.node} cannot read.`,
            hint: 'Use Node 22.15 or later.',
          }),
        );
      }
      decoder = createZstdDecompress({ chunkSize: 256 * 1024 });
    } else if (start.readUInt32BE(0) === 0xfd377a58 || start.toString('latin1', 0, 3) === 'BZh') {
      return this.#fail(
        new StackError('image.media-type', {
          message: 'The layer is compressed with xz or bzip2, which is not supported yet.',
          hint: 'Use gzip, zstd or no compression.',
        }),
      );
    } else return null;
    decoder.on('data', (chunk: Buffer) => this.#output(chunk));
    decoder.on('end', () => this.#finish());
    decoder.on('error', (error: NodeJS.ErrnoException) => {
      const isShort = error.code === 'Z_BUF_ERROR';
      this.#fail(
        new StackError(isShort ? 'image.truncated' : 'image.archive', {
          message: `The compressed layer is ${isShort ? 'cut off' : 'damaged'}: ${error.message}.`,
          cause: error,
        }),
      );
    });
    return decoder;
  }

  #output(chunk: Buffer): void {
    if (this.#error) return;
    this.#plain += chunk.length;
    try {
      if (this.#plain > expansionGrace && this.#plain > this.#compressed * expansionLimit) {
        throw new StackError('image.limit', {
          message: `The layer expands to more than ${expansionLimit} times its size: ${this.#compressed} bytes became ${this.#plain}.`,
          hint: 'The image is damaged or made to fill the disk; do not use it.',
        });
      }
      this.#hash.update(chunk);
      this.#tar.push(chunk);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #finish(): void {
    if (this.#error) return;
    try {
      // Content shorter than a magic number never got a decoder.
      if (this.#decoder === undefined) this.#output(this.#start);
      this.#tar.finish();
      this.#extractor.finish();
      this.#extractor.close();
      filesystem.syncfs(this.#root);
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    tell({ type: 'done', diffId: `sha256:${this.#hash.digest('hex')}`, plain: this.#plain });
  }

  #fail(thrown: unknown): null {
    if (this.#error) return null;
    this.#error = asStackError(thrown, 'image.store');
    this.#close();
    const { code, message, hint, errno, operation } = this.#error;
    tell({ type: 'failed', code, message, hint, errno, operation });
    return null;
  }

  #close(): void {
    this.#decoder?.destroy();
    this.#extractor.close();
  }
}

let run: LayerRun | undefined;
port.on('message', (message: ToWorker) => {
  if (message.type === 'layer') run = new LayerRun(message.root);
  else if (message.type === 'data') run?.take(Buffer.from(message.chunk));
  else if (message.type === 'end') run?.end();
  else {
    run?.abort();
    run = undefined;
    tell({ type: 'aborted' });
  }
});
