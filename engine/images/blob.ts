/** Content-addressed blobs on their way into the store. */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../schemas/errors.ts';
import type { Store } from './store.ts';

/** What a blob is expected to be; from a registry both are known, from an old archive neither. */
export interface Expected {
  digest?: string | undefined;
  size?: number | undefined;
}

/**
 * Writes one blob: bytes in, digest checked, then renamed into place. Dispose removes what was not committed.
 * It is on disk after the syncfs(2) that precedes its image's entry in index.json.
 */
export class BlobWriter implements Disposable {
  readonly #store: Store;
  readonly #path: string;
  readonly #fd: number;
  readonly #expected: Expected;
  readonly #hash;
  #isOpen = true;
  size = 0;

  constructor(store: Store, expected: Expected) {
    this.#store = store;
    this.#expected = expected;
    this.#hash = createHash(algorithm(expected.digest));
    this.#path = join(store.root, 'ingest', randomBytes(12).toString('hex'));
    this.#fd = store.makeLocked(this.#path, () => fs.openSync(this.#path, 'wx', 0o644));
  }

  write(chunk: Uint8Array): void {
    this.size += chunk.byteLength;
    const { size, digest } = this.#expected;
    if (size !== undefined && this.size > size) {
      throw new StackError('image.digest-mismatch', {
        message: `Blob ${digest} is longer than the ${size} bytes announced.`,
      });
    }
    this.#hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.#fd, chunk, at);
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
    fs.rmSync(this.#path, { force: true });
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
