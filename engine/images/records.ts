/**
 * Records: what `find` needs of an image, checked once when it was written. Each begins under a name that counts until the
 * machine stops, and gets another besides once its image is on disk. Without it nobody knows afterwards what of the image was
 * kept: the image is made anew from such of its blobs as prove sound.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ImageConfig } from '../../schemas/oci-image.ts';
import { freshMark } from './marks.ts';

/** A StoredImage without what depends on where the store lies and on index.json. */
export interface ImageRecord {
  id: string;
  manifestDigest: string;
  /** Digest of the manifest as it came, where that was docker's: pushed on as it is. */
  sourceManifest?: string;
  config: ImageConfig;
  /** Chain ids in hex, lowest layer first. Source: image-spec config.md "Layer ChainID". */
  chain: string[];
  /** Digests of every blob of the image: manifest, configuration, layers. */
  blobs: string[];
  size: number;
}

export class Records {
  readonly #dir: string;
  readonly #write: (path: string, content: string) => void;
  readonly #known = new Map<string, ImageRecord>();

  /** `write` replaces a file whole. */
  constructor(dir: string, write: (path: string, content: string) => void) {
    this.#dir = dir;
    this.#write = write;
  }

  read(manifestDigest: string): ImageRecord | undefined {
    const known = this.#known.get(manifestDigest);
    if (known) return known;
    for (const path of this.#paths(manifestDigest)) {
      try {
        const record = JSON.parse(fs.readFileSync(path, 'utf8')) as ImageRecord;
        this.#known.set(manifestDigest, record);
        return record;
      } catch {
        // Not there, or torn.
      }
    }
    return undefined;
  }

  /** Counts for as long as the machine runs; {@link settle} says what is to be done for longer. */
  write(record: ImageRecord): void {
    const { settled, fresh } = this.#names(record.manifestDigest);
    this.#known.set(record.manifestDigest, record);
    this.#write(join(this.#dir, fresh), JSON.stringify(record));
    fs.rmSync(join(this.#dir, settled), { force: true });
  }

  /** The image is used now. Costs one or two system calls. */
  touch(manifestDigest: string): void {
    const now = new Date();
    for (const path of this.#paths(manifestDigest)) {
      try {
        fs.utimesSync(path, now, now);
        return;
      } catch {
        // Under the other name, gone, or the disk is read-only: it only decides what goes first when space is made.
      }
    }
  }

  /** In ms since the epoch; 0 where that is not known. */
  lastUsed(manifestDigest: string): number {
    for (const path of this.#paths(manifestDigest)) {
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      if (stat) return stat.mtimeMs;
    }
    return 0;
  }

  /** In this order: whoever settles an image makes the second from the first (native/shim/settle.cc). */
  remove(manifestDigest: string): void {
    const { fresh, settled } = this.#names(manifestDigest);
    this.#known.delete(manifestDigest);
    for (const name of [fresh, settled]) fs.rmSync(join(this.#dir, name), { force: true });
  }

  /** Digests of the manifests there are records of, whether they count or not. */
  list(): string[] {
    const digests = fs
      .readdirSync(this.#dir)
      .flatMap((name) => /^([0-9a-f]{64})\.(?:json|fresh-.*)$/.exec(name)?.[1] ?? []);
    return [...new Set(digests)].map((hex) => `sha256:${hex}`);
  }

  /** Removes the names that counted until the machine stopped. */
  forgetLost(): void {
    for (const name of fs.readdirSync(this.#dir)) {
      const [, mark] = /^[0-9a-f]{64}\.(fresh-.*)$/.exec(name) ?? [];
      if (mark !== undefined && mark !== freshMark()) fs.rmSync(join(this.#dir, name), { force: true });
    }
  }

  /** Those that count until the machine stops: the name each has, and the one it is to have besides. */
  unsettled(): { digest: string; directory: string; from: string; to: string }[] {
    const suffix = `.${freshMark()}`;
    const names = new Set(fs.readdirSync(this.#dir));
    return [...names].flatMap((from) => {
      if (!from.endsWith(suffix)) return [];
      const hex = from.slice(0, -suffix.length);
      const to = `${hex}.json`;
      return names.has(to) ? [] : [{ digest: `sha256:${hex}`, directory: this.#dir, from, to }];
    });
  }

  #names(manifestDigest: string): { settled: string; fresh: string } {
    const hex = manifestDigest.replace(/^.*:/, '');
    return { settled: `${hex}.json`, fresh: `${hex}.${freshMark()}` };
  }

  /** Once more the first: it may have got that name in between. */
  #paths(manifestDigest: string): string[] {
    const { settled, fresh } = this.#names(manifestDigest);
    return [settled, fresh, settled].map((name) => join(this.#dir, name));
  }
}
