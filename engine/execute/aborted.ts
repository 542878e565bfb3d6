/** Waiting for the end of a run, by as many as like. */

const ends = new WeakMap<AbortSignal, Promise<void>>();

/**
 * Resolves once the signal is aborted. One listener for all who ask: a signal compares each new listener with all it has,
 * which for thousands of containers that are waited for at once takes longer than all else. What is chained to the promise
 * stays for as long as the signal does.
 */
export function aborted(signal: AbortSignal): Promise<void> {
  let end = ends.get(signal);
  if (!end) {
    end = new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    ends.set(signal, end);
  }
  return end;
}
