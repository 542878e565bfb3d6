/** Layers as the blobs they become: compressed, in the store. */
import { once } from 'node:events';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { BlobWriter } from '../images/blob.ts';
import { ociLayer } from '../images/media.ts';
import type { Store } from '../images/store.ts';
import { diffIdOf } from './new-layer.ts';
import type { Solving } from './solving.ts';

// Node before 22.15 has no zstd.
const compression = 'createZstdCompress' in zlib ? 'zstd' : 'gzip';

export const packedType = `${ociLayer}+${compression}`;

/** Bytes that come of a compressor at a time. */
const chunkSize = 256 * 1024;

/** Fast ones: a layer is compressed more often than it is pushed. */
export const compressor = (): Transform =>
  compression === 'zstd'
    ? zlib.createZstdCompress({ chunkSize, params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } })
    : zlib.createGzip({ chunkSize, level: 1 });

/** Compresses a tar on its way past, on a thread of its own. Dispose removes what was not kept. */
export class Packing implements Disposable {
  readonly #blob: BlobWriter;
  readonly #packed = compressor();
  #failure: unknown;

  constructor(store: Store) {
    this.#blob = new BlobWriter(store, {});
    this.#packed.on('data', (chunk: Buffer) => {
      try {
        if (this.#failure === undefined) this.#blob.write(chunk);
      } catch (thrown) {
        this.#failure = thrown;
      }
    });
    this.#packed.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Takes the next piece; waits where the compressor is behind. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#packed.write(piece)) await once(this.#packed, 'drain');
  }

  /** Keeps the blob. @throws what writing it met: a full disk */
  async end(): Promise<{ digest: string; size: number; mediaType: string }> {
    const ended = once(this.#packed, 'end');
    this.#packed.end();
    await ended;
    if (this.#failure !== undefined) throw this.#failure;
    return { ...this.#blob.commit(), mediaType: packedType };
  }

  [Symbol.dispose](): void {
    this.#packed.destroy();
    this.#blob[Symbol.dispose]();
  }
}

/**
 * As {@link diffIdOf}; its files are read once for both. The blob is in the store when `packed` has come true: the next step need
 * not wait for that, the image must.
 */
export async function packedDiffId(
  solving: Solving,
  directory: string,
  signal: AbortSignal,
): Promise<{ diffId: string; packed: Promise<void> }> {
  const packing = new Packing(solving.store);
  try {
    const diffId = await diffIdOf(solving, directory, signal, packing);
    return { diffId, packed: keep(packing, diffId, solving) };
  } catch (thrown) {
    packing[Symbol.dispose]();
    throw thrown;
  }
}

async function keep(packing: Packing, diffId: string, { lease, records }: Solving): Promise<void> {
  using _ = packing;
  const blob = await packing.end();
  await lease.keep([blob.digest]);
  records.keepBlob(diffId, blob);
}
