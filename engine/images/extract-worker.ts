/**
 * The worker thread that turns the bytes of one layer after another into files. It decompresses, takes the digest of the plain
 * tar (the diff id) and extracts, in one pass. Fed by engine/images/extractors.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Transform } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { asStackError, StackError } from '../../schemas/errors.ts';
import type { Fd, KernelPort } from '../../schemas/kernel.ts';
import { checkExpansion, damaged, decompressor } from './compression.ts';
import { Extractor } from './extract.ts';
import type { FromWorker, ToWorker, WorkerData } from './extractors.ts';
import { TarReader } from './tar.ts';

const { addon, umask } = workerData as WorkerData;
const { filesystem } = createRequire(import.meta.url)(addon) as KernelPort;
const port = parentPort!;
const tell = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

/** One layer on its way to disk. */
class LayerRun {
  readonly #hash = createHash('sha256');
  readonly #extractor: Extractor;
  readonly #tar: TarReader;
  #decoder: Transform | null | undefined;
  #compressed = 0;
  #plain = 0;
  #error: StackError | undefined;

  constructor(root: Fd) {
    this.#extractor = new Extractor(filesystem, root, umask);
    this.#tar = new TarReader(this.#extractor);
  }

  /** The next `size` bytes; their memory goes back once they are read. */
  take(memory: ArrayBuffer, size: number): void {
    const giveBack = () => tell({ type: 'taken', memory }, [memory]);
    const chunk = Buffer.from(memory, 0, size);
    this.#compressed += size;
    if (this.#error) return;
    if (this.#decoder === undefined) this.#decoder = this.#decoderFor(chunk);
    if (this.#error) return;
    if (this.#decoder) {
      this.#decoder.write(chunk, giveBack);
    } else {
      this.#output(chunk);
      giveBack();
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
    let decoder: Transform | null;
    try {
      decoder = decompressor(start);
    } catch (thrown) {
      return this.#fail(thrown);
    }
    // In a turn of its own: by then the decoder works on the next piece, on a thread of Node's pool, at the same time.
    decoder?.on('data', (chunk: Buffer) => setImmediate(() => this.#output(chunk)));
    decoder?.on('end', () => setImmediate(() => this.#finish()));
    decoder?.on('error', (error) => this.#fail(damaged(error)));
    return decoder;
  }

  #output(chunk: Buffer): void {
    if (this.#error) return;
    this.#plain += chunk.length;
    try {
      checkExpansion(this.#compressed, this.#plain);
      this.#hash.update(chunk);
      this.#tar.push(chunk);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #finish(): void {
    if (this.#error) return;
    try {
      this.#tar.finish();
      this.#extractor.finish();
      this.#extractor.close();
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
  else if (message.type === 'data') run?.take(message.memory, message.size);
  else if (message.type === 'end') run?.end();
  else {
    run?.abort();
    run = undefined;
    tell({ type: 'aborted' });
  }
});
tell({ type: 'ready' });
