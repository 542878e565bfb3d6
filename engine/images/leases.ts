/**
 * Leases: what a command that is at work needs of the store, so that nobody removes it before an image or a container names
 * it. A lease is a file that its command holds locked (flock(2)) and that lists digests; with the command, however it ends,
 * the lock goes, and the next command that looks takes the file away.
 *
 * The gate (the lock `content`) makes the two sides agree: a lease grows while holding it shared, a collection looks and takes
 * things out of the way while holding it alone. Both hold it for moments, never while something is transported.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Fd, FilesystemVerbs } from '../../schemas/kernel.ts';
import { asStoreError } from './disk-full.ts';
import { makeLocked } from './locks.ts';

export interface Lease extends Disposable {
  /**
   * Nothing of this is removed from now on: digests of blobs and `sha256:` + chain ids. What is not there yet may be named too.
   * What was there before the call may be gone when it answers: look afterwards. @throws StackError `host.disk-full`
   */
  keep(digests: Iterable<string>): Promise<void>;
}

export class Leases {
  readonly #verbs: FilesystemVerbs;
  readonly #dir: string;
  readonly #gate: () => Promise<Disposable>;
  #fd: Fd | undefined;
  #path = '';
  #holders = 0;
  #kept = new Set<string>();

  /** `gate`: takes the gate shared. */
  constructor(verbs: FilesystemVerbs, dir: string, gate: () => Promise<Disposable>) {
    this.#verbs = verbs;
    this.#dir = dir;
    this.#gate = gate;
  }

  /** All leases of one store object are one file: what was kept under one stays until the last of them is given back. */
  take(): Lease {
    this.#holders++;
    let isHeld = true;
    return {
      keep: (digests) => this.#keep(digests),
      [Symbol.dispose]: () => {
        if (isHeld) this.#giveBack();
        isHeld = false;
      },
    };
  }

  async #keep(digests: Iterable<string>): Promise<void> {
    const added = [...new Set(digests)].filter((digest) => !this.#kept.has(digest));
    if (added.length === 0) return;
    using _ = await this.#gate();
    try {
      this.#fd ??= this.#make();
      // Each begins a line: one that a full disk cut off does not spoil the next.
      const lines = Buffer.from(added.map((digest) => `\n${digest}\n`).join(''));
      for (let at = 0; at < lines.length; ) at += fs.writeSync(this.#fd, lines, at);
    } catch (thrown) {
      throw asStoreError(thrown, 'taking a lease in the image store');
    }
    for (const digest of added) this.#kept.add(digest);
  }

  #make(): Fd {
    this.#path = join(this.#dir, randomBytes(12).toString('hex'));
    return makeLocked(this.#verbs, this.#path, () => fs.openSync(this.#path, 'wx', 0o600));
  }

  #giveBack(): void {
    if (--this.#holders > 0) return;
    this.#kept = new Set();
    if (this.#fd === undefined) return;
    fs.rmSync(this.#path, { force: true });
    fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** What living commands keep. Under the gate, taken alone. */
  living(): Set<string> {
    const kept = new Set<string>();
    for (const name of fs.readdirSync(this.#dir)) {
      const path = join(this.#dir, name);
      let fd: Fd;
      try {
        fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
      } catch {
        continue; // Given back in between: what it kept has a name by now.
      }
      try {
        if (this.#verbs.tryFlock(fd, 'exclusive')) fs.rmSync(path, { force: true });
        else for (const digest of fs.readFileSync(fd, 'utf8').split('\n')) kept.add(digest);
      } finally {
        fs.closeSync(fd);
      }
    }
    kept.delete('');
    return kept;
  }
}
