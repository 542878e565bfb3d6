/** Builds at work beside each other, in one process or in several, that come to the same step: one runs it, the others find what it made. */
import { fstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FilesystemVerbs } from '../../schemas/kernel.ts';
import { lock, tryLock } from '../images/locks.ts';

export class Turns {
  readonly #verbs: FilesystemVerbs;
  readonly #folder: string;

  /** @param folder of lock files, one for each step that is worked on: flock(2) ends with its process, however that ends. */
  constructor(verbs: FilesystemVerbs, folder: string) {
    this.#verbs = verbs;
    this.#folder = folder;
  }

  /**
   * Waits until no build of this machine works on the step `key` (hex). Given back when the step has ended.
   * @throws StackError `plan.interrupted` at the signal
   */
  async take(key: string, signal: AbortSignal): Promise<Disposable> {
    const path = join(this.#folder, key);
    for (;;) {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const held = await lock(this.#verbs, path, 'exclusive', signal);
      // Who had it before took the file away: whoever comes now locks another one of that name.
      if (statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(held.fd).ino) {
        held[Symbol.dispose]();
        continue;
      }
      return {
        [Symbol.dispose]() {
          rmSync(path, { force: true });
          held[Symbol.dispose]();
        },
      };
    }
  }
}

/** Lock files of builds that were killed. */
export function forgetTurns(verbs: FilesystemVerbs, folder: string): void {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // No build yet.
  }
  for (const name of names) {
    using free = tryLock(verbs, join(folder, name), 'exclusive');
    if (free) rmSync(join(folder, name), { force: true });
  }
}
