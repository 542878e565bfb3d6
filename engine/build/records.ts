/** What builds remember: the layer a step made, by its key, and the digests of files by what stat(2) says of them. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readStep, type StepRecord } from '../images/build-cache.ts';
import type { BuiltFrom } from './built-from.ts';
import type { Found } from './walk.ts';

/** Written whole or not at all; what cannot be read is not there. */
function write(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(temporary, JSON.stringify(value));
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
}

function read<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

export class Records {
  readonly #folder: string;

  /** @param folder of the build cache. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Of the step with this key (hex). Its last use is the file's time. */
  find(key: string): StepRecord | undefined {
    const path = this.#step(key);
    const found = readStep(path);
    if (!found) return undefined;
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // Collected meanwhile.
    }
    return found;
  }

  keep(key: string, record: StepRecord): void {
    write(this.#step(key), record);
  }

  #step(key: string): string {
    return join(this.#folder, 'steps', `${key}.json`);
  }

  /** The blob of a layer, once it was compressed. */
  blobOf(diffId: string): { digest: string; size: number; mediaType: string } | undefined {
    return read(join(this.#folder, 'blobs', `${diffId.replace(':', '-')}.json`));
  }

  keepBlob(diffId: string, blob: { digest: string; size: number; mediaType: string }): void {
    write(join(this.#folder, 'blobs', `${diffId.replace(':', '-')}.json`), blob);
  }

  /** What the image of this name was built from last. */
  inputsOf(name: string): BuiltFrom | undefined {
    return read(this.#inputs(name));
  }

  /** Written where they are others than before. Not having them costs a reason in the next plan, and no build. */
  keepInputs(name: string, inputs: BuiltFrom): void {
    if (JSON.stringify(this.inputsOf(name)) === JSON.stringify(inputs)) return;
    try {
      write(this.#inputs(name), inputs);
    } catch {
      // A full disk.
    }
  }

  #inputs(name: string): string {
    const file = createHash('sha256').update(name).digest('hex').slice(0, 32);
    return join(this.#folder, 'inputs', `${file}.json`);
  }

  /** Digests of the files of a directory of the machine. */
  digests(location: string): FileDigests {
    const name = createHash('sha256').update(location).digest('hex').slice(0, 32);
    return new FileDigests(join(this.#folder, 'contexts', `${name}.json`));
  }
}

/** A file that has the same inode, size and times has the same content: so says make(1), and so do we, with ctime added. */
export class FileDigests {
  readonly #path: string;
  readonly #known: Record<string, [stamp: string, digest: string]>;
  readonly #used: Record<string, [stamp: string, digest: string]> = {};
  #isChanged = false;
  /** What changed this recently may change again within one tick of the clock: it is not remembered. */
  readonly #settledNs = (BigInt(Date.now()) - 2_000n) * 1_000_000n;

  constructor(path: string) {
    this.#path = path;
    this.#known = read(path) ?? {};
  }

  of(path: string, { stat }: Found, digest: () => string): string {
    const stamp = `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
    const known = this.#used[path] ?? this.#known[path];
    if (known?.[0] === stamp) {
      this.#used[path] = known;
      return known[1];
    }
    const fresh = digest();
    if (stat.ctimeNs < this.#settledNs) {
      this.#used[path] = [stamp, fresh];
      this.#isChanged = true;
    }
    return fresh;
  }

  save(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    try {
      write(this.#path, { ...this.#known, ...this.#used });
    } catch {
      // On a full disk the files are read again next time.
    }
  }
}
