/** Builds at work beside each other that come to the same step: one runs it, the others find what it made. */
export class Turns {
  readonly #running = new Map<string, Promise<void>>();

  /** Waits until no build of this process works on `key`. Given back when the step has ended. */
  async take(key: string, signal: AbortSignal): Promise<Disposable> {
    const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
    const onAbort = () => stop(signal.reason);
    stopped.catch(() => {});
    signal.addEventListener('abort', onAbort);
    try {
      for (let running = this.#running.get(key); running; running = this.#running.get(key))
        await Promise.race([running, stopped]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(key, promise);
    return {
      [Symbol.dispose]: () => {
        this.#running.delete(key);
        resolve();
      },
    };
  }
}
