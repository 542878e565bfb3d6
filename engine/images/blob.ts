/** Content-addressed blobs on their way into the store. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import { openPartial, partialPath } from './partial.ts';
import type { Store } from './store.ts';

/** What a blob is expected to be; from a registry both are known, from an old archive neither. */
export interface Expected {
  digest?: string | undefined;
  size?: number | undefined;
}

const pieceSize = 256 * 1024;

/**
 * Writes one blob: bytes in, digest checked, then renamed into place. Dispose removes what was not committed, unless it is of use
 * to the next pull (partial.ts). It reaches the disk later (settle.ts).
 */
export class BlobWriter implements Disposable {
  readonly #store: Store;
  readonly #path: string;
  readonly #fd: number;
  readonly #expected: Expected;
  readonly #hash;
  #isOpen = true;
  /** What was written stays for the next pull. */
  #isKept = false;
  size = 0;

  /** `isResumable`: a blob from a registry, which can be asked for its rest. */
  constructor(store: Store, expected: Expected, isResumable = false) {
    this.#store = store;
    this.#expected = expected;
    this.#hash = createHash(algorithm(expected.digest));
    const { digest } = expected;
    // Where another pull is at the same blob, for another layer, each has its own.
    const partial = isResumable && digest !== undefined ? openPartial(store, digest) : undefined;
    if (partial !== undefined) {
      this.#path = partialPath(store, digest!);
      this.#fd = partial;
      this.#isKept = true;
      return;
    }
    this.#path = join(store.root, 'ingest', randomBytes(12).toString('hex'));
    this.#fd = store.makeLocked(this.#path, () => fs.openSync(this.#path, 'wx', 0o644));
  }

  /** What an interrupted pull left of it, which counts as written: to be read to its end before anything else is written. */
  *resume(): Generator<Uint8Array> {
    if (!this.#isKept) return;
    const there = fs.fstatSync(this.#fd).size;
    if (there > (this.#expected.size ?? there)) fs.ftruncateSync(this.#fd);
    for (;;) {
      const chunk = Buffer.allocUnsafe(pieceSize);
      const length = fs.readSync(this.#fd, chunk, 0, pieceSize, this.size);
      if (length === 0) return;
      const piece = chunk.subarray(0, length);
      this.#hash.update(piece);
      this.size += length;
      yield piece;
    }
  }

  /** What was written is not to be gone on with. */
  discard(): void {
    this.#isKept = false;
  }

  write(chunk: Uint8Array): void {
    const from = this.size;
    this.size += chunk.byteLength;
    const { size, digest } = this.#expected;
    if (size !== undefined && this.size > size) {
      throw new StackError('image.digest-mismatch', {
        message: `Blob ${digest} is longer than the ${size} bytes announced.`,
      });
    }
    this.#hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.#fd, chunk, at, chunk.length - at, from + at);
  }

  /** Checks and keeps it. @throws StackError `image.truncated`, `image.digest-mismatch` */
  commit(): { digest: string; size: number } {
    const { size, digest: wanted } = this.#expected;
    if (size !== undefined && this.size < size) {
      throw new StackError('image.truncated', {
        message: `Blob ${wanted} ended after ${this.size} of ${size} bytes.`,
        hint: 'Try again; if it stays so, the registry or the archive is damaged.',
      });
    }
    const digest = `${algorithm(wanted)}:${this.#hash.digest('hex')}`;
    if (wanted !== undefined && digest !== wanted) throw mismatch(wanted, digest);
    const path = this.#store.blob(digest);
    if (!digest.startsWith('sha256:')) fs.mkdirSync(join(path, '..'), { recursive: true });
    fs.renameSync(this.#path, path);
    this.#close();
    return { digest, size: this.size };
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    if (!this.#isKept || fs.fstatSync(this.#fd).size === 0) fs.rmSync(this.#path, { force: true });
    this.#close();
  }

  #close(): void {
    this.#isOpen = false;
    fs.closeSync(this.#fd);
  }
}

function algorithm(digest: string | undefined): string {
  return digest?.slice(0, digest.indexOf(':')) ?? 'sha256';
}

export function mismatch(wanted: string, got: string): StackError {
  return new StackError('image.digest-mismatch', {
    message: `Content announced as ${wanted} has the digest ${got}.`,
    hint: 'The registry, a proxy on the way or the archive changed it: do not use it.',
  });
}

/** Keeps a small document. @throws StackError as {@link BlobWriter.commit} */
export function putBlob(store: Store, content: Uint8Array, expected: Expected = {}): { digest: string; size: number } {
  using writer = new BlobWriter(store, expected);
  writer.write(content);
  return writer.commit();
}

/** Of what lies at `path`, by the algorithm of the digest `like`. Undefined where it went in between. */
export async function digestOfFile(path: string, like: string): Promise<string | undefined> {
  const name = algorithm(like);
  const hash = createHash(name);
  try {
    for await (const chunk of fs.createReadStream(path, { highWaterMark: 256 * 1024 })) hash.update(chunk as Buffer);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  return `${name}:${hash.digest('hex')}`;
}
