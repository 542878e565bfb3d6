/** index.json of the layout: read, changed under its lock, and mended where something outside tore it. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { asStackError } from '../../schemas/errors.ts';
import type { Descriptor, Index } from '../../schemas/oci-image.ts';
import { closed, opened } from './beside.ts';
import { ociManifest } from './media.ts';

const mediaType = 'application/vnd.oci.image.index.v1+json';

export interface IndexPlace {
  /** Directory of the layout. */
  root: string;
  lock(): Promise<Disposable>;
  /** Waits for nobody: null where another has it. */
  tryLock(): Disposable | null;
  /** Digests of the manifests there are records of. */
  known(): string[];
  /** Replaces a file whole. */
  write(path: string, content: string, isSynced?: boolean): void;
}

export class IndexFile {
  readonly #place: IndexPlace;
  readonly #path: string;
  /** The same content, written before: what a torn index.json is mended from. */
  readonly #copy: string;
  #known: { stamp: string; value: Index } | undefined;

  constructor(place: IndexPlace) {
    this.#place = place;
    this.#path = join(place.root, 'index.json');
    this.#copy = join(place.root, 'records', 'index');
  }

  /** As it is; read again only when it changed. @throws StackError `image.store` where it cannot be read at all */
  read(): Index {
    const stat = fs.statSync(this.#path, { throwIfNoEntry: false });
    // Missing where no image came yet, or where it was lost.
    if (!stat && !fs.existsSync(this.#copy)) return empty();
    const stamp = stat ? `${stat.ino}:${stat.mtimeMs}:${stat.size}` : '';
    if (!stat || this.#known?.stamp !== stamp) {
      const value = readIndex(this.#path);
      if (!value) return this.#mend();
      this.#known = { stamp, value };
    }
    return this.#known!.value;
  }

  /** Changes it under its lock. `change` answers the new list of manifests. */
  async change(change: (manifests: Descriptor[]) => Descriptor[]): Promise<void> {
    using _ = await this.#place.lock();
    this.#known = undefined;
    const known = readIndex(this.#path);
    const index = known ?? this.#rescued();
    const manifests = change(structuredClone(index.manifests));
    if (known && JSON.stringify(manifests) === JSON.stringify(known.manifests)) return;
    this.#write({ ...index, manifests });
  }

  #write(index: Index): void {
    const content = JSON.stringify(
      { ...index, schemaVersion: 2, mediaType, manifests: index.manifests.map(closed) },
      null,
      1,
    );
    this.#place.write(this.#copy, content, false);
    this.#place.write(this.#path, content);
    this.#known = undefined;
  }

  /** Puts back what the copy says. Where another is about to write it, that one mends. */
  #mend(): Index {
    const rescued = this.#rescued();
    try {
      using lock = this.#place.tryLock();
      if (lock && !readIndex(this.#path)) {
        // For whoever wants to know what became of it.
        if (fs.existsSync(this.#path)) fs.renameSync(this.#path, `${this.#path}.damaged`);
        this.#write(rescued);
      }
    } catch (thrown) {
      throw asStackError(thrown, 'image.store', {
        message: `${this.#path} is damaged and cannot be mended: ${(thrown as Error).message}.`,
        hint: 'Remove the file and pull the images again.',
      });
    }
    return rescued;
  }

  /** The copy; without one, every image there is a record of, nameless. */
  #rescued(): Index {
    const copy = readIndex(this.#copy);
    if (copy) return copy;
    if (!fs.existsSync(this.#path) && !fs.existsSync(this.#copy)) return empty();
    const manifests = this.#place.known().flatMap((digest) => {
      const path = join(this.#place.root, 'blobs', digest.replace(':', '/'));
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      return stat ? [{ mediaType: ociManifest, digest, size: stat.size }] : [];
    });
    return { schemaVersion: 2, manifests };
  }
}

function empty(): Index {
  return { schemaVersion: 2, manifests: [] };
}

function readIndex(path: string): Index | undefined {
  try {
    const value = JSON.parse(fs.readFileSync(path, 'utf8')) as Index;
    return Array.isArray(value.manifests) ? { ...value, manifests: value.manifests.map(opened) } : undefined;
  } catch {
    return undefined;
  }
}
