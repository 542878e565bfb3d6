/** Looks for the keys that detach among what is typed. */
export class DetachKeys {
  readonly #keys: Buffer;
  readonly #onDetach: () => void;
  #found = 0;

  constructor(keys: Buffer, onDetach: () => void) {
    this.#keys = keys;
    this.#onDetach = onDetach;
  }

  /** What of it goes to the process: the beginning of the keys is held back until it is known to be none. */
  pass(chunk: Buffer): Buffer {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#found]) {
        passed.push(...this.#keys.subarray(0, this.#found));
        this.#found = 0;
      }
      if (byte !== this.#keys[this.#found]) passed.push(byte);
      else if (++this.#found === this.#keys.length) {
        this.#found = 0;
        this.#onDetach();
        break;
      }
    }
    return Buffer.from(passed);
  }
}
