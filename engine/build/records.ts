/** What builds remember: the layer a step made, by its key, and the digests of files by what stat(2) says of them. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readStep, type StepRecord } from '../images/build-cache.ts';
import type { BuiltFrom } from './built-from.ts';
import type { Found } from './walk.ts';

/** Replaces a file whole or not at all, and leaves nothing beside it after a kill. */
export type Replace = (path: string, content: string) => void;

/** What cannot be read is not there. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function read<T>(path: string): T | undefined {
  try {
    return JSON.parse(readText(path) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

export class Records {
  readonly #folder: string;
  readonly #replace: Replace;

  /** @param folder of the build cache. */
  constructor(folder: string, replace: Replace) {
    this.#folder = folder;
    this.#replace = replace;
  }

  #write(path: string, value: unknown): void {
    this.#replaceText(path, JSON.stringify(value));
  }

  #replaceText(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#replace(path, text);
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
    this.#write(this.#step(key), record);
  }

  #step(key: string): string {
    return join(this.#folder, 'steps', `${key}.json`);
  }

  /** The blob of a layer, once it was compressed. */
  blobOf(diffId: string): { digest: string; size: number; mediaType: string } | undefined {
    return read(join(this.#folder, 'blobs', `${diffId.replace(':', '-')}.json`));
  }

  keepBlob(diffId: string, blob: { digest: string; size: number; mediaType: string }): void {
    this.#write(join(this.#folder, 'blobs', `${diffId.replace(':', '-')}.json`), blob);
  }

  /** Digest of what a step found in a tree. @param question all that decides it, the tree's chain id included. */
  found(question: string): string | undefined {
    const digest = read<{ digest: unknown }>(this.#found(question))?.digest;
    return typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
  }

  /** @param answer `chain`: the tree's, in hex; once the store has it no more, the answer is of no use. */
  keepFound(question: string, answer: { chain: string; digest: string }): void {
    try {
      this.#write(this.#found(question), answer);
    } catch {
      // On a full disk the tree is looked at again next time.
    }
  }

  #found(question: string): string {
    return join(this.#folder, 'found', `${createHash('sha256').update(question).digest('hex')}.json`);
  }

  /** What the image of this name was built from last. */
  inputsOf(name: string): BuiltFrom | undefined {
    const inputs = read<Partial<BuiltFrom>>(this.#inputs(name));
    const isWhole = Array.isArray(inputs?.reads) && inputs.reads.every((one) => Array.isArray(one?.files));
    return isWhole ? (inputs as BuiltFrom) : undefined;
  }

  /** Written where they are others than before. Not having them costs a reason in the next plan, and no build. */
  keepInputs(name: string, inputs: BuiltFrom): void {
    const path = this.#inputs(name);
    const text = JSON.stringify(inputs);
    if (readText(path) === text) return;
    try {
      this.#replaceText(path, text);
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
    return new FileDigests(join(this.#folder, 'contexts', `${name}.json`), (path, value) => this.#write(path, value));
  }
}

/** Nanoseconds of a second. */
const second = 1_000_000_000n;
/** A clock's tick, and room: a kernel with 100 ticks a second has 10 ms. File systems that count seconds have up to two. */
const tick = second / 10n;
const coarseTick = 2n * second;

/**
 * A file that has the same inode, size and times has the same content: so says make(1), and so do we, with ctime added, which
 * nobody can set. What was changed within a tick of the clock before it was read may be changed again without another time: it is
 * not remembered. A whole second says that the file system may know no less.
 */
const isSettled = (ctimeNs: bigint, readNs: bigint) => ctimeNs < readNs - (ctimeNs % second === 0n ? coarseTick : tick);

/** Digests of a directory's files, remembered from build to build. */
export class FileDigests {
  readonly #path: string;
  readonly #known = new Map<string, { stamp: string; digest: string }>();
  readonly #write: (path: string, value: unknown) => void;
  #isChanged = false;

  constructor(path: string, write: (path: string, value: unknown) => void) {
    this.#path = path;
    this.#write = write;
    // Path, stamp and digest in turns: of ten thousand files it is read in no time.
    const list = read<string[]>(path);
    if (!Array.isArray(list)) return;
    for (let at = 0; at + 2 < list.length; at += 3) {
      this.#known.set(list[at]!, { stamp: list[at + 1]!, digest: list[at + 2]! });
    }
  }

  of(path: string, { stat }: Pick<Found, 'stat'>, digest: () => string): string {
    const { stamp } = stat;
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.digest;
    const readNs = BigInt(Date.now()) * 1_000_000n;
    const fresh = digest();
    if (isSettled(stat.ctimeNs, readNs)) {
      this.#known.set(path, { stamp, digest: fresh });
      this.#isChanged = true;
    }
    return fresh;
  }

  save(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    try {
      this.#write(
        this.#path,
        [...this.#known].flatMap(([name, { stamp, digest }]) => [name, stamp, digest]),
      );
    } catch {
      // On a full disk the files are read again next time.
    }
  }
}
